import { describe, expect, it } from 'vitest';
import { readSources } from './support/import-graph.ts';

/** Classes of others, or of the language, after which something may be asked by `instanceof`, and why. */
const ALLOWED: Record<string, string> = {
  'model/foreign.ts: AbortSignal': "Node's own functions take no signal but its own",
  'cli/program.ts: CommanderError': 'the one copy of commander that the command loads, in its own process',
};

/** Each `instanceof` in the source, as "file: class". */
function checksOf(sources: ReadonlyMap<string, string>): string[] {
  return [...sources].flatMap(([file, source]) =>
    [...withoutComments(source).matchAll(/\binstanceof\s+([\w.]+)/g)].map(([, name]) => `${file}: ${name}`),
  );
}

/** What is declared in the source: an error that this package throws is of the class that it knows. */
function classesOf(sources: ReadonlyMap<string, string>): Set<string> {
  const names = [...sources.values()].flatMap((source) =>
    [...source.matchAll(/\bclass\s+(\w+)/g)].map(([, name]) => name ?? ''),
  );
  return new Set(names);
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function isForeign(check: string, own: ReadonlySet<string>): boolean {
  return !own.has(check.split(': ')[1] ?? '');
}

describe('values of another realm', () => {
  const sources = new Map([...readSources()].filter(([file]) => !file.startsWith('testing/')));
  const own = classesOf(sources);

  it('R1 are asked for by what they are, nowhere by instanceof', () => {
    const foreign = checksOf(sources).filter((check) => isForeign(check, own));
    expect(foreign.filter((check) => !Object.hasOwn(ALLOWED, check))).toEqual([]);
    expect(Object.keys(ALLOWED).filter((check) => !foreign.includes(check))).toEqual([]);
  });

  it('R1 would be noticed', () => {
    const bad = new Map([
      [
        'a.ts',
        '/* x instanceof Map */\nclass Own extends Error {}\nif (x instanceof Own || y instanceof Error) z();',
      ],
    ]);
    expect(checksOf(bad).filter((check) => isForeign(check, classesOf(bad)))).toEqual(['a.ts: Error']);
  });
});
