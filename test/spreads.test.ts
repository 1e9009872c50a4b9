import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';

// A spread in a call puts every item on the stack, which a list of some hundred thousand items overflows.
// Lists that can grow go through src/model/lists.ts; what may be spread stands here, with the reason.

const FEW: Record<string, Record<string, string>> = {
  'agent/turn-reader.ts': {
    'page.filter((record) => record.messageSeq === messageSeq)': 'a page of calls',
  },
  'postgres/batch.ts': {
    'guardParts(batch.guard, batch.pin !== undefined, bind)': 'three parts of one statement',
  },
  'json/foreign.ts': {
    parts: 'the names on a path that the code knows',
  },
  'sql/write/plan.ts': {
    'callOps(state, book)': 'an operation for each kind of change, whose rows are the list',
    'infoOps(keys, change.info)': 'an operation for each table that has a part of it',
    'documentOps(state, change.documents, at)': 'two operations, whose rows are the list',
    'operationOps(state, change, next, at)': 'one operation',
  },
  'sql/directory.ts': {
    'this.#takeFromFirst(count - keys.length)': 'at most a block of keys',
  },
  'sql/read/info.ts': {
    points: 'the characters of a name, which has at most 255 bytes',
  },
  'sql/query/session-sources.ts': {
    range: 'the conditions of a filter, whose metadata has a limit',
  },
  'sql/query/statistics.ts': {
    'TOKENS.map((column) => sum(`r.${column}`))': 'four columns',
  },
  'sql/read/union.ts': {
    counts: 'the parts of a statement',
  },
};

interface Node {
  type: string;
  start: number;
  end: number;
}

/** The texts of what is spread into arguments, of calls and of `new`, and what `apply` is called with. */
function spreadsIn(code: string, isTypeScript: boolean): string[] {
  const found: string[] = [];
  const textOf = ({ start, end }: Node) => code.slice(start, end);
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('arguments' in value && Array.isArray(value.arguments)) {
      for (const argument of value.arguments as (Node & { argument: Node })[]) {
        if (argument.type === 'SpreadElement') found.push(textOf(argument.argument));
      }
      const [, list] = value.arguments as Node[];
      if ('callee' in value && list && textOf(value.callee as Node).endsWith('.apply'))
        found.push(textOf(list));
    }
    for (const part of Object.values(value)) visit(part);
  };
  visit(parseAst(code, { lang: isTypeScript ? 'ts' : 'js' }));
  return found;
}

describe('lists that are spread into calls', () => {
  it('are found', () => {
    const code = 'f(a, ...b, [...c]); new D(...e); g({ ...h }); i.apply(null, j); k?.(...l());';
    expect(spreadsIn(code, false)).toEqual(['b', 'e', 'j', 'l()']);
  });

  it('X2 are all known to be short', () => {
    const src = fileURLToPath(new URL('../src/', import.meta.url));
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => /\.[tj]s$/.test(file) && !file.startsWith('testing/'));
    const found = files.flatMap((file) =>
      spreadsIn(readFileSync(src + file, 'utf8'), file.endsWith('.ts')).map((text) => `${file}: ${text}`),
    );
    const known = Object.entries(FEW).flatMap(([file, texts]) =>
      Object.keys(texts).map((text) => `${file}: ${text}`),
    );
    expect([...new Set(found)].sort()).toEqual(known.sort());
  });
});
