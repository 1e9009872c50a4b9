import type { SqlValue } from '../sql/port/values.ts';

/** A value of a statement, or one for each row of a batch. Arrays as such would have `pg` escape every element. */
export type Param = SqlValue | TextArray;

/** Number of dimensions, whether there are nulls, the elements' type, and the one dimension's size and lower bound. */
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
/** https://www.postgresql.org/docs/current/catalog-pg-type.html */
const TEXT_OID = 25;

/**
 * A `text[]` in the binary format: its texts as they are, each after its length. In the text format, which `pg`
 * has for arrays, every quote and backslash is escaped in JavaScript, and JSON is full of them.
 */
export class TextArray {
  readonly values: readonly SqlValue[];

  constructor(values: readonly SqlValue[]) {
    this.values = values;
  }

  /** `pg` calls it when the statement is sent: what waits for a connection has no copy of its texts. */
  toPostgres(): Buffer {
    let size = HEADER_BYTES;
    let hasNulls = 0;
    const lengths = this.values.map((value) => {
      if (value === null) hasNulls = 1;
      const length = value === null ? NULL_LENGTH : Buffer.byteLength(String(value));
      size += LENGTH_BYTES + Math.max(0, length);
      return length;
    });
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const field of [1, hasNulls, TEXT_OID, lengths.length, 1]) at = bytes.writeInt32BE(field, at);
    for (const [i, length] of lengths.entries()) {
      at = bytes.writeInt32BE(length, at);
      if (length > 0) at += bytes.write(String(this.values[i]), at);
    }
    return bytes;
  }
}

/** An array of any type of number in the text format: nothing in it needs quotes. */
export function numberArray(values: readonly SqlValue[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}
