import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SchemaVersionError, StoreConfigError } from '../../src/errors.ts';
import { readSchema } from '../../src/sqlite/file-schema.ts';
import { refuseForeign } from '../../src/sqlite/foreign.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import { createAgent } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

/** The tables of KODE SDK 2.7, as far as they tell what it is. */
const SCHEMA_OF_27 = `
  CREATE TABLE agents (agent_id TEXT PRIMARY KEY, template_id TEXT NOT NULL, created_at TEXT NOT NULL,
    config_version TEXT NOT NULL, lineage TEXT NOT NULL, message_count INTEGER NOT NULL DEFAULT 0,
    last_sfp_index INTEGER NOT NULL DEFAULT -1, last_bookmark TEXT, breakpoint TEXT, metadata TEXT NOT NULL);
  CREATE TABLE messages (id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, content TEXT NOT NULL, seq INTEGER);
  CREATE TABLE tool_calls (id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, name TEXT NOT NULL, audit_trail TEXT);
  CREATE TABLE snapshots (agent_id TEXT NOT NULL, snapshot_id TEXT NOT NULL, messages TEXT NOT NULL);
  CREATE INDEX idx_agents_template_id ON agents (template_id);
  INSERT INTO agents VALUES ('a', 't', '2025-01-01T00:00:00Z', 'v', '[]', 0, -1, NULL, NULL, '{}')`;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'others.db');
});

afterEach(() => removeDirectory(directory));

/** Makes a database as another program does. `keep`: leaves its log behind, as a program that was killed. */
async function make(sql: string, { wal = false, keep = false, setUp = '' } = {}): Promise<void> {
  const made = keep ? join(directory, 'open.db') : path;
  const db = new Database(made);
  if (setUp !== '') db.exec(setUp);
  if (wal) db.pragma('journal_mode = WAL');
  db.exec(sql);
  if (keep) {
    await copyFile(made, path);
    await copyFile(`${made}-wal`, `${path}-wal`);
  }
  db.close();
}

/** All files with what is in them and when they were changed. */
async function files(): Promise<unknown> {
  const names = (await readdir(directory)).sort();
  return Promise.all(
    names.map(async (name) => {
      const file = join(directory, name);
      return [name, (await stat(file)).mtimeMs, (await readFile(file)).toString('latin1')];
    }),
  );
}

const KINDS = [
  ['with a rollback journal', {}],
  ['in WAL mode', { wal: true }],
  ['whose tables are in its log', { wal: true, keep: true }],
] as const;

describe.each(KINDS)('H3 a database of somebody else %s', (_kind, options) => {
  it('that KODE SDK 2.7 made is refused as what it is, untouched', async () => {
    await make(SCHEMA_OF_27, options);
    const before = await files();
    for (const adopt of [false, true]) {
      const store = new SqliteStore(path, undefined, { adopt });
      await expect(store.list()).rejects.toBeInstanceOf(SchemaVersionError);
      await expect(store.list()).rejects.toThrow(
        /others\.db.*KODE SDK 2\.7.*Nothing was changed.*kode migrate.*a later version/,
      );
      expect((await store.healthCheck()).healthy).toBe(false);
      await store.close();
    }
    expect(await files()).toEqual(before);
  });

  it('that another program made is refused, untouched, unless it is adopted', async () => {
    await make(
      'CREATE TABLE agents (name TEXT); CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES (1)',
      options,
    );
    const before = await files();
    const store = new SqliteStore(path);
    await expect(store.list()).rejects.toBeInstanceOf(StoreConfigError);
    await expect(store.list()).rejects.toThrow(/another program.*"agents", "notes".*adopt: true/);
    await store.close();
    expect(await files()).toEqual(before);

    await using adopting = await createExtendedStore({ type: 'sqlite', dbPath: path, adopt: true });
    await createAgent(adopting, 'a');
    // From then on it is the store's as well.
    await using other = new SqliteStore(path);
    expect(await other.list()).toEqual(['a']);
    const db = new Database(path, { readonly: true });
    expect(db.prepare('SELECT text FROM notes').pluck().all()).toEqual(['1']);
    db.close();
  });
});

describe('the schema of a SQLite file', () => {
  const many = Array.from({ length: 400 }, (_, n) => {
    const columns = Array.from(
      { length: n % 7 === 0 ? 300 : 2 },
      (_c, c) => `a_column_of_this_table_${c} TEXT`,
    );
    return `CREATE TABLE "täble ${n}" (${columns.join(', ')})`;
  }).join(';');

  it.each([
    ['pages of 512 bytes', 'PRAGMA page_size = 512'],
    ['pages of 4,096 bytes', 'PRAGMA page_size = 4096'],
    ['pages of 65,536 bytes', 'PRAGMA page_size = 65536'],
    ['UTF-16le', "PRAGMA encoding = 'UTF-16le'"],
    ['UTF-16be', "PRAGMA encoding = 'UTF-16be'"],
  ])('is read as SQLite reads it (%s)', async (_what, setUp) => {
    await make(many, { setUp });
    const db = new Database(path, { readonly: true });
    const expected = db.prepare('SELECT name, sql FROM sqlite_master').all() as { name: string }[];
    db.close();
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect((await readSchema(path))?.sort(byName)).toEqual(expected.sort(byName));
  });

  it('of one that has none yet is empty', async () => {
    await make('SELECT 1');
    expect(await readSchema(path)).toEqual([]);
    await using store = new SqliteStore(path);
    expect(await store.list()).toEqual([]);
  });

  it('of our own is read without a look into its log', async () => {
    await using store = new SqliteStore(path);
    await store.open();
    await store.close();
    // A log that fails whoever reads it.
    await mkdir(`${path}-wal`);
    await expect(readSchema(path)).rejects.toThrow(/EISDIR/);
    await expect(refuseForeign(path, false)).resolves.toBeUndefined();
  });

  it('is read of a long log with pauses for others', async () => {
    await make(`CREATE TABLE long (bytes); INSERT INTO long VALUES (zeroblob(${10_000 * 512}))`, {
      wal: true,
      keep: true,
      setUp: 'PRAGMA page_size = 512',
    });
    let reading = true;
    let turns = 0;
    const count = () => {
      turns += 1;
      if (reading) setImmediate(count);
    };
    setImmediate(count);
    expect((await readSchema(path))?.map(({ name }) => name)).toEqual(['long']);
    reading = false;
    expect(turns).toBeGreaterThanOrEqual(2);
  });
});
