import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { render } from '../../src/sql/port/statement.ts';
import type { TableName } from '../../src/sql/schema/tables.ts';
import { WHOLE } from '../support/environment.ts';
import { type Definition, definedStatements } from './definitions.ts';
import { type Driven, drivePostgres, driveSqlite } from './open-for-plans.ts';
import { UNREACHED, unexcused, unneededExceptions } from './plan-exceptions.ts';
import type { Recorded } from './recorder.ts';

vi.mock('../../src/sql/port/statement.ts', async (importOriginal) => {
  const { registering } = await import('./definitions.ts');
  return registering(await importOriginal());
});

const SOURCE = new URL('../../src/', import.meta.url);
const DRIVE_TIMEOUT = 240_000;

/** What the source defines when it is loaded; what it composes later, it executes. */
const constants = await loadConstants();
const explained = new Set<string>();

async function loadConstants(): Promise<Definition[]> {
  for (const file of sourceFiles()) await import(new URL(file, SOURCE).href);
  return definedStatements();
}

function sourceFiles(): string[] {
  return ['sql', 'sqlite', 'postgres'].flatMap((folder) =>
    readdirSync(new URL(folder, SOURCE), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
  );
}

function plansOn(name: string, drive: () => Promise<Driven>): void {
  describe(`the statements that a store issues to ${name}`, () => {
    let driven: Driven;
    beforeAll(async () => {
      driven = await drive();
    }, DRIVE_TIMEOUT);
    afterAll(() => driven?.close());

    it('use an index each', async () => {
      const complaints = new Set<string>();
      for (const query of executed(driven)) {
        const found = await driven.complain(query);
        for (const complaint of unexcused(query, driven.dialect.name, found)) {
          complaints.add(`${query.name} ${complaint} (${shortened(query.text)})`);
        }
      }
      explained.add(name);
      expect([...complaints]).toEqual([]);
    }, 120_000);

    it('are all that the source defines', () => {
      const { dialect, capture } = driven;
      const other = dialect.name === 'sqlite' ? 'postgres/' : 'sqlite/';
      const unreached = constants
        .filter(({ file }) => !file.startsWith(other))
        .filter(({ statement }) => !capture.texts.has(render(statement, dialect)))
        .map(nameOf);
      expect([...new Set(unreached)].sort()).toEqual(expectedUnreached(dialect.name));
    });

    it('write every kind of row', () => {
      const { dialect, capture } = driven;
      const reached = definedStatements().filter(({ statement }) =>
        capture.texts.has(render(statement, dialect)),
      );
      const names = new Set(reached.map(({ statement }) => statement.name));
      const missing = writtenRows(driven).filter((ways) => !ways.some((way) => names.has(way)));
      expect(missing).toEqual([]);
    });
  });
}

/** What can be explained. */
function executed({ capture, dialect }: Driven): Recorded[] {
  const statements = new Map(
    definedStatements().map(({ statement }) => [render(statement, dialect), statement]),
  );
  return [...capture.texts].flatMap(([text, { first, last }]) => {
    const statement = statements.get(text);
    if (!statement || !/^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|\()/.test(text)) return [];
    return [...new Set([first, last])].map((params) => ({ name: statement.name, statement, text, params }));
  });
}

function shortened(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 200);
}

/** With its file where two files have a statement of that name. */
function nameOf({ file, statement: { name } }: Definition): string {
  const files = new Set(
    constants.filter(({ statement }) => statement.name === name).map((other) => other.file),
  );
  return files.size > 1 ? `${name} of ${file.split('/').at(-1)}` : name;
}

function expectedUnreached(dialect: string): string[] {
  return (UNREACHED[dialect] ?? []).flatMap(({ names }) => names).sort();
}

/** For each kind of row that the source writes, the names that its statement may have on SQLite. */
function writtenRows({ dialect }: Driven): string[][] {
  // On PostgreSQL a batch is one statement.
  if (dialect.name === 'postgres') return [];
  const text = sourceFiles()
    .map((file) => readFileSync(new URL(file, SOURCE), 'utf8'))
    .join('\n');
  const ops = [...text.matchAll(/kind: '(\w+)',\s*table: '(\w+)'/g)]
    .filter(([, kind, table]) => kind !== 'reindex' && dialect.hasTable(table as TableName))
    .map(([, kind, table]) => [`${kind}_${table}`]);
  const rows = [...text.matchAll(/insertRow\('(\w+)'/g)].map(([, table]) => [
    `script_insert_${table}`,
    `script_upsert_${table}`,
  ]);
  return [...ops, ...rows];
}

plansOn('SQLite', driveSqlite);
// The oldest planner in the matrix: it has the same indexes to choose from.
if (WHOLE) plansOn('PostgreSQL 15', drivePostgres('postgres15'));
plansOn('PostgreSQL 18', drivePostgres('postgres18'));

it('each exception is needed somewhere', () => {
  // Of some of the databases it isn't known.
  if (explained.size === (WHOLE ? 3 : 2)) expect(unneededExceptions()).toEqual([]);
});
