import { render, type Shape, type Statement } from '../sql/statement.ts';
import { sqliteDialect } from './dialect.ts';

export interface Positional {
  readonly text: string;
  /** For each `?` of the text, the index of its parameter. */
  readonly order: readonly number[];
}

/** A statement's text for better-sqlite3, which binds a list of values to `?` only. */
export function positional(source: Statement<Shape>): Positional {
  const order: number[] = [];
  const text = render(source, sqliteDialect).replace(/\$(\d+)/g, (_match, digits: string) => {
    order.push(Number(digits) - 1);
    return '?';
  });
  return { text, order };
}
