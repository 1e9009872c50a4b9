import { RecentMap } from '../../model/recent-map.ts';
import type { Dialect } from './dialect.ts';

/**
 * How rows come back: as objects by the columns' names; as arrays, which cost less where there are many; or
 * as the one column's values.
 */
export type Shape = 'objects' | 'arrays' | 'values';

/**
 * SQL text with `$1`-style parameters, `{table}` names and `{now}`, written once and rendered for each database: where they differ, in the words of its dialect.
 * Statements are module-level constants or cached by their text, so that drivers prepare each once.
 */
export interface Statement<S extends Shape = 'objects'> {
  /** Shows up in metrics and error messages. */
  readonly name: string;
  readonly text: string | ((dialect: Dialect) => string);
  readonly shape: S;
}

export function statement(name: string, text: Statement['text']): Statement {
  return { name, text, shape: 'objects' };
}

export function statementOfArrays(name: string, text: Statement['text']): Statement<'arrays'> {
  return { name, text, shape: 'arrays' };
}

export function statementOfValues(name: string, text: Statement['text']): Statement<'values'> {
  return { name, text, shape: 'values' };
}

/**
 * Filters, orders and rounded limits make some hundred texts in use at a time, and no end of possible ones:
 * each is a prepared statement in memory.
 */
export const MAX_COMPOSED = 500;

const built = new RecentMap<string, Statement>(MAX_COMPOSED);
const builtOfArrays = new RecentMap<string, Statement<'arrays'>>(MAX_COMPOSED);

/** A statement composed at run time from constant fragments: one object per distinct text in use. */
export function composed(name: string, text: string): Statement {
  return once(built, text, () => statement(name, text));
}

export function composedOfArrays(name: string, text: string): Statement<'arrays'> {
  return once(builtOfArrays, text, () => statementOfArrays(name, text));
}

function once<T>(known: RecentMap<string, T>, text: string, build: () => T): T {
  let found = known.get(text);
  if (!found) {
    found = build();
    known.set(text, found);
  }
  return found;
}

const PLACEHOLDER = /\{(\w+)\}/g;

export function render(source: Statement<Shape>, dialect: Dialect): string {
  const text = typeof source.text === 'string' ? source.text : source.text(dialect);
  return text.replace(PLACEHOLDER, (_match, name: string) =>
    name === 'now' ? dialect.now : dialect.table(name),
  );
}
