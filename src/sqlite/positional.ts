import { render, type Shape, type Statement } from '../sql/port/statement.ts';
import { sqliteDialect } from './dialect.ts';

/** In the place of an index: the instant at which the statement is executed. */
export const NOW = -1;

export interface Positional {
  readonly text: string;
  /** For each `?` of the text, the index of its parameter, or `NOW`. */
  readonly order: readonly number[];
}

/** A statement's text for better-sqlite3, which binds a list of values to `?` only. */
export function positional(source: Statement<Shape>): Positional {
  const order: number[] = [];
  const text = render(source, sqliteDialect).replace(/\$(\d+|now\b)/g, (_match, name: string) => {
    order.push(name === 'now' ? NOW : Number(name) - 1);
    return '?';
  });
  return { text, order };
}
