import type { SqlValue } from '../port/values.ts';

/** A type that values of the rows have. */
export type ValueType = 'bigint' | 'double precision' | 'text';

export interface UnionPart {
  readonly columns: readonly { readonly sql: string; readonly type: ValueType }[];
  /** What follows FROM; it may go on to a WHERE, a GROUP, an ORDER, a LIMIT. */
  readonly from: string;
}

/**
 * Several selects as one, so that they are one round trip and see one moment. Each row says which
 * it is of, and has room for the columns of all.
 */
export class Union {
  readonly text: string;
  /** For each part, where its columns are in a row of the whole. */
  readonly #places: readonly (readonly number[])[];

  constructor(parts: readonly UnionPart[]) {
    const slots = parts.length === 1 ? [] : slotsFor(parts);
    this.#places = parts.map((part) => placesOf(part, slots));
    const texts = parts.map((part, i) => textOf(part, i, slots, this.#places[i] ?? []));
    this.text = texts.join(' UNION ALL ');
  }

  /** The rows of each part. */
  split(rows: SqlValue[][]): SqlValue[][][] {
    if (this.#places.length === 1) return [rows];
    const parts: SqlValue[][][] = this.#places.map(() => []);
    for (const row of rows) {
      const part = Number(row[0]);
      parts[part]?.push((this.#places[part] ?? []).map((place) => row[place] ?? null));
    }
    return parts;
  }
}

/** As many of each type as the part with most of them has. */
function slotsFor(parts: readonly UnionPart[]): ValueType[] {
  return (['bigint', 'double precision', 'text'] as const).flatMap((type) => {
    const counts = parts.map(({ columns }) => columns.filter((column) => column.type === type).length);
    return Array.from({ length: Math.max(...counts) }, () => type);
  });
}

/** The number of the part comes first. */
function placesOf({ columns }: UnionPart, slots: readonly ValueType[]): number[] {
  const taken = new Set<number>();
  return columns.map(({ type }) => {
    const place = slots.findIndex((slot, i) => slot === type && !taken.has(i));
    taken.add(place);
    return place + 1;
  });
}

function textOf(
  { columns, from }: UnionPart,
  part: number,
  slots: readonly ValueType[],
  places: readonly number[],
): string {
  if (slots.length === 0) return `SELECT ${columns.map(({ sql }) => sql).join(', ')} FROM ${from}`;
  const cells = slots.map((type, i) => columns[places.indexOf(i + 1)]?.sql ?? `NULL::${type}`);
  return `(SELECT ${part}, ${cells.join(', ')} FROM ${from})`;
}
