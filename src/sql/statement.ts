import type { Dialect } from './dialect.ts';

/**
 * SQL text with `$1`-style parameters and `{table}` names, written once and rendered per database.
 * Statements are module-level constants or cached by their text, so that drivers prepare each once.
 */
export interface Statement {
  /** Shows up in metrics and error messages. */
  readonly name: string;
  readonly text: string | { readonly sqlite: string; readonly postgres: string };
}

export function statement(name: string, text: Statement['text']): Statement {
  return { name, text };
}

const built = new Map<string, Statement>();

/** A statement composed at run time from constant fragments: one object per distinct text. */
export function composed(name: string, text: string): Statement {
  const known = built.get(text);
  if (known) return known;
  const fresh = statement(name, text);
  built.set(text, fresh);
  return fresh;
}

const TABLE_NAME = /\{(\w+)\}/g;

export function render(source: Statement, dialect: Dialect): string {
  const text = typeof source.text === 'string' ? source.text : source.text[dialect.name];
  return text.replace(TABLE_NAME, (_match, name: string) => dialect.table(name));
}
