import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `type` imports vanish when compiled; `dynamic` ones load when they are reached, `value` ones at once. */
export interface Import {
  specifier: string;
  kind: 'value' | 'type' | 'dynamic';
}

/** Source text by path below src, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

const STATIC =
  /^[ \t]*(?:import|export)\s+(type\s+(?=[\w${*]))?(?:[\w$\s{},*]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\b(?:import|require)\(\s*['"`]([^'"`]+)['"`]/g;
/** Only those that begin a line: a string may hold what looks like the begin of a comment. */
const COMMENTS = /^[ \t]*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm;

export function importsOf(source: string): Import[] {
  const code = source.replace(COMMENTS, '');
  const found: Import[] = [];
  for (const [, type, specifier = ''] of code.matchAll(STATIC)) {
    found.push({ specifier, kind: type === undefined ? 'value' : 'type' });
  }
  for (const [, specifier = ''] of code.matchAll(DYNAMIC)) found.push({ specifier, kind: 'dynamic' });
  return found;
}

/** The file below src that a relative import names; undefined for a package or a part of Node. */
export function fileOf(importer: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(importer), specifier) : undefined;
}

export function packageOf(specifier: string): string {
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

/** The packages that importing `entry` loads at once, each with the chain of files that leads there. */
export function packagesLoadedBy(entry: string, sources: Sources): Map<string, string[]> {
  const packages = new Map<string, string[]>();
  const seen = new Set([entry]);
  const queue = [[entry]];
  for (const chain of queue) {
    const importer = chain.at(-1) ?? entry;
    for (const { specifier, kind } of importsOf(sources.get(importer) ?? '')) {
      if (kind !== 'value' || specifier.startsWith('node:')) continue;
      const file = fileOf(importer, specifier);
      if (file === undefined) packages.set(packageOf(specifier), chain);
      else if (!seen.has(file)) {
        seen.add(file);
        queue.push([...chain, file]);
      }
    }
  }
  return packages;
}

export function readSources(): Sources {
  const root = fileURLToPath(new URL('../../src/', import.meta.url));
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return new Map(
    paths
      .filter((path) => /\.[jt]s$/.test(path))
      .map((path) => [path.replaceAll('\\', '/'), readFileSync(`${root}${path}`, 'utf8')]),
  );
}
