import { spawnSync } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { circles } from './support/import-circles.ts';
import { importsOf, packagesLoadedBy, readSources } from './support/import-graph.ts';
import { RULES, violations } from './support/import-rules.ts';
import { makeTemporaryDirectory, removeDirectory } from './support/temporary.ts';

const FOLDERS = Object.keys(RULES);
const PACKAGES = [...new Set(Object.values(RULES).flatMap((rule) => rule.packages))];

describe('reading imports', () => {
  it('finds every form of import, and no comment', () => {
    const source = [
      "import { a,\n  b } from './value.ts';",
      "import './effect.ts';",
      "import type { C } from './type.ts';",
      "import { type D } from './inline.ts';",
      "export * from './star.ts';",
      "export type { E } from './export-type.ts';",
      "const f = await import('./dynamic.ts');",
      "type G = import('./in-a-type.ts').G;",
      "/**\n * import { h } from './comment.ts';\n */",
      "// import './line.ts';",
      "export const i = 'a string from ';",
    ].join('\n');
    expect(importsOf(source)).toEqual([
      { specifier: './value.ts', kind: 'value' },
      { specifier: './effect.ts', kind: 'value' },
      { specifier: './type.ts', kind: 'type' },
      { specifier: './inline.ts', kind: 'value' },
      { specifier: './star.ts', kind: 'value' },
      { specifier: './export-type.ts', kind: 'type' },
      { specifier: './dynamic.ts', kind: 'dynamic' },
      { specifier: './in-a-type.ts', kind: 'dynamic' },
    ]);
  });
});

describe('the import direction', () => {
  it('holds in src', () => {
    expect(violations(readSources())).toEqual([]);
  });

  it.each([
    ['model/message.ts', "import type { Store } from '../store/store.ts';"],
    ['model/ids.ts', "import { readFile } from 'node:fs/promises';"],
    ['errors.ts', "import { z } from 'zod';"],
    ['store/filters.ts', "import { query } from '../sql/query/page.ts';"],
    ['store/open.ts', "const { SqliteStore } = await import('../sqlite/store.ts');"],
    ['store/factory.ts', "import { SqliteStore } from '../sqlite/store.ts';"],
    ['store/factory.ts', "const driver = await import('pg');"],
    ['sql/read/events.ts', "import { quote } from '../../postgres/dialect.ts';"],
    ['sqlite/store.ts', "export * from '../postgres/errors.ts';"],
    ['postgres/driver.ts', "import Database from 'better-sqlite3';"],
    ['json/store.ts', "import { plan } from '../sql/write/plan.ts';"],
    ['agent/agent.ts', "import { SqliteStore } from '../sqlite/store.ts';"],
    ['cli/main.ts', "import { SqlStore } from '../sql/store.ts';"],
    ['testing/index.ts', "import { JSONStore } from '../json/store.ts';"],
    ['sql/store.ts', "import { SqliteStore } from '../index.ts';"],
    ['index.ts', "export { main } from './cli/main.ts';"],
    ['cli/main.ts', "import { root } from '../../scripts/project.mjs';"],
    ['helpers/strings.ts', 'export const empty = 0;'],
  ])('refuses in %s: %s', (file, source) => {
    expect(violations(new Map([[file, source]]))).toHaveLength(1);
  });

  it.each([
    ['store/factory.ts', "const { SqliteStore } = await import('../sqlite/store.ts');"],
    ['store/factory.ts', "import type { PostgresOptions } from '../postgres/store.ts';"],
    ['postgres/driver.ts', "import type pg from 'pg';"],
    ['sqlite/store.ts', "import { SqlStore } from '../sql/store.ts';"],
    ['sql/read/events.ts', "import { ValidationError } from '../../errors.ts';"],
    ['index.ts', "export { JSONStore } from './json/store.ts';"],
  ])('accepts in %s: %s', (file, source) => {
    expect(violations(new Map([[file, source]]))).toEqual([]);
  });
});

describe('imports, types included,', () => {
  it('go round in no circle', () => {
    expect(circles(readSources())).toEqual([]);
  });

  it('would be seen to, by way of types alone', () => {
    const sources = new Map([
      ['a.ts', "import type { B } from './b.ts';"],
      ['b.ts', "import { c } from './deep/c.ts';"],
      ['deep/c.ts', "export type { A } from '../a.ts';"],
      ['d.ts', "import './a.ts';"],
    ]);
    expect(circles(sources)).toEqual([['a.ts', 'b.ts', 'deep/c.ts']]);
  });
});

describe('what the databases share', () => {
  it('asks for no database by its name, and tells of none', () => {
    const found = [...readSources()].filter(
      ([file, source]) => file.startsWith('sql/') && /sqlite|postgres|dialect\.name/i.test(source),
    );
    expect(found.map(([file]) => file)).toEqual([]);
  });
});

describe('importing the package root', () => {
  it('loads no package: no driver, no model SDK, no zod', () => {
    const sources = readSources();
    expect([...sources.keys()]).toContain('index.ts');
    expect(Object.fromEntries(packagesLoadedBy('index.ts', sources))).toEqual({});
  });

  it('would notice one behind several files', () => {
    const sources = new Map([
      ['index.ts', "export { open } from './store/factory.ts';"],
      ['store/factory.ts', "import { parse } from './config.ts';\nimport type pg from 'pg';"],
      ['store/config.ts', "import { z } from 'zod/v4';\nawait import('ai');"],
    ]);
    expect(Object.fromEntries(packagesLoadedBy('index.ts', sources))).toEqual({
      zod: ['index.ts', 'store/factory.ts', 'store/config.ts'],
    });
  });
});

describe('the linter', () => {
  let project = '';
  let refused: Set<string>;

  beforeAll(async () => {
    project = await makeTemporaryDirectory();
    refused = await lintEveryImport(project);
  });
  afterAll(() => removeDirectory(project));

  it.each(FOLDERS)('refuses and accepts the same folders in src/%s', (folder) => {
    const others = FOLDERS.filter((other) => other !== folder);
    const expected = others.filter((other) => !RULES[folder]?.folders.includes(other));
    expect(others.filter((other) => refused.has(`${folder} ../${other}/file.ts`))).toEqual(expected);
    expect(others.filter((other) => refused.has(`${folder} ../../${other}/deep/file.ts`))).toEqual(expected);
  });

  it.each(FOLDERS)('refuses and accepts the same packages in src/%s', (folder) => {
    const expected = PACKAGES.filter((name) => !RULES[folder]?.packages.includes(name));
    expect(PACKAGES.filter((name) => refused.has(`${folder} ${name}`))).toEqual(expected);
  });
});

/** Lints a project with every import of every folder; gives back the refused ones as "folder specifier". */
async function lintEveryImport(project: string): Promise<Set<string>> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  for (const name of ['biome.json', 'biome.imports.json']) await cp(join(root, name), join(project, name));
  const specifiers = [
    ...FOLDERS.flatMap((folder) => [`../${folder}/file.ts`, `../../${folder}/deep/file.ts`]),
    ...PACKAGES,
  ];
  const source = specifiers.map((specifier) => `import '${specifier}';\n`).join('');
  for (const folder of FOLDERS) {
    await mkdir(join(project, 'src', folder), { recursive: true });
    await writeFile(join(project, 'src', folder, 'case.ts'), source);
  }
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  const options = ['--only=style/noRestrictedImports', '--vcs-enabled=false', '--max-diagnostics=none'];
  const { stdout } = spawnSync(process.execPath, [biome, 'lint', '--reporter=json', ...options, 'src'], {
    cwd: project,
    encoding: 'utf8',
  });
  const report: LintReport = JSON.parse(stdout);
  return new Set(
    report.diagnostics.map(({ location }) => {
      const [, folder] = location.path.split(/[\\/]/);
      return `${folder} ${specifiers[location.start.line - 1]}`;
    }),
  );
}

interface LintReport {
  diagnostics: { location: { path: string; start: { line: number } } }[];
}
