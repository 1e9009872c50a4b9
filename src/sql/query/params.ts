import { run, type Script } from '../port/driver.ts';
import { composedOfArrays, type Statement } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';

/** A statement that reads, with its values. */
export interface Query {
  readonly statement: Statement<'arrays'>;
  readonly params: readonly SqlValue[];
}

/** The values of a statement that is put together from pieces: values are bound, never written into text. */
export class Params {
  readonly #values: SqlValue[] = [];

  readonly bind = (value: SqlValue): string => {
    this.#values.push(value);
    return `$${this.#values.length}`;
  };

  query(name: string, text: string): Query {
    return { statement: composedOfArrays(name, text), params: this.#values };
  }
}

/** A query as a part of a script. */
export function ask({ statement, params }: Query): Script<SqlValue[][]> {
  return run(statement, params);
}
