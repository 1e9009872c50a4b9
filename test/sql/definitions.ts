import type * as Statements from '../../src/sql/port/statement.ts';

/** A statement as the source defines it, and the file of the source that does. */
export interface Definition {
  readonly file: string;
  readonly statement: Statements.Statement<Statements.Shape>;
}

const definitions = new Map<Definition['statement'], Definition>();

/** What the source has defined up to now; not what tests did. */
export function definedStatements(): Definition[] {
  return [...definitions.values()];
}

type Define = (name: string, text: Statements.Statement['text']) => Definition['statement'];

/** The module that defines statements, which writes down what it defines. For `vi.mock`. */
export function registering(original: typeof Statements): typeof Statements {
  const registered = <F extends Define>(define: F): F =>
    ((name, text) => {
      const statement = define(name, text);
      const file = definingFile();
      if (file !== undefined && !definitions.has(statement)) definitions.set(statement, { file, statement });
      return statement;
    }) as F;
  return {
    ...original,
    statement: registered(original.statement),
    statementOfArrays: registered(original.statementOfArrays),
    statementOfValues: registered(original.statementOfValues),
    // These take a text that is the same for both databases.
    composed: registered(original.composed as Define) as typeof original.composed,
    composedOfArrays: registered(original.composedOfArrays as Define) as typeof original.composedOfArrays,
  };
}

/** The nearest file of the source in the way here. */
function definingFile(): string | undefined {
  for (const line of (new Error().stack ?? '').split('\n')) {
    if (/\/test\/.*(?<!definitions)\.ts/.test(line)) return undefined;
    const file = /\/src\/((?:sql|sqlite|postgres)\/[\w/-]+\.ts)/.exec(line)?.[1];
    if (file !== undefined && file !== 'sql/port/statement.ts') return file;
  }
  return undefined;
}
