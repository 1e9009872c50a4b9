import type { Shapes } from '../sql/port/driver.ts';
import type { Shape, Statement } from '../sql/port/statement.ts';
import type { SqlValue } from '../sql/port/values.ts';

/** Runs one statement on the connection, prepared once. */
export interface Executor {
  all<S extends Shape>(statement: Statement<S>, params: readonly SqlValue[]): Shapes[S][];
  run(statement: Statement, params: readonly SqlValue[]): number;
}
