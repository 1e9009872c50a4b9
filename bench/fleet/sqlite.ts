import { createReadStream, existsSync, renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { TABLE_PREFIX } from '../../src/sql/port/dialect.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { cachedFile } from './cache.ts';
import { fillFleet } from './fill.ts';
import { CURSOR_ROWS, type Fleet, type RawReader, type RawRow } from './fleet.ts';
import { RAW_INDEXES, RAW_TABLES, withTables } from './raw-tables.ts';

export async function openSqliteFleet(agents: number): Promise<Fleet> {
  const path = cachedFile(`${agents}.db`);
  const rawPath = cachedFile(`${agents}-raw.db`);
  if (!existsSync(path)) await buildOnce(path, (building) => buildStore(building, agents));
  if (!existsSync(rawPath)) await buildOnce(rawPath, (building) => buildRaw(building, path));
  for (const file of [path, rawPath]) await readThrough(file);
  const store = await new SqliteStore(path).open();
  const raw = readRawSqlite(rawPath);
  const db = new Database(path, { readonly: true });
  const scans = {
    messages: db.prepare(`SELECT count(*) FROM ${TABLE_PREFIX}messages NOT INDEXED`).pluck(),
    tool_calls: db.prepare(`SELECT count(*) FROM ${TABLE_PREFIX}tool_calls NOT INDEXED`).pluck(),
  };
  return {
    agents,
    store,
    raw,
    place: { backend: 'sqlite', path, rawPath },
    fullScan: (table) => Number(scans[table].get()),
    async close() {
      db.close();
      await raw.close();
      await store.close();
    },
  };
}

/** So that both sides find their pages in the system's cache from the beginning. */
async function readThrough(path: string): Promise<void> {
  for await (const _ of createReadStream(path, { highWaterMark: 2 ** 20 }));
}

/** A file has its name only when it is whole. */
async function buildOnce(path: string, build: (path: string) => Promise<void> | void): Promise<void> {
  const building = `${path}-building-${process.pid}`;
  try {
    await build(building);
    renameSync(building, path);
  } finally {
    for (const end of ['', '-wal', '-shm']) rmSync(building + end, { force: true });
  }
}

async function buildStore(path: string, agents: number): Promise<void> {
  const store = await new SqliteStore(path, undefined, { durability: 'normal' }).open();
  try {
    await fillFleet(store, agents);
  } finally {
    await store.close();
  }
}

function buildRaw(path: string, storePath: string): void {
  const db = new Database(path);
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    db.prepare('ATTACH ? AS store').run(storePath);
    const table = (name: string) =>
      name.startsWith('store.') ? `store.${TABLE_PREFIX}${name.slice(6)}` : name;
    for (const text of [...RAW_TABLES, ...RAW_INDEXES]) db.exec(withTables(text, table));
    db.exec('DETACH store; ANALYZE');
    // Nobody writes to it any more: without a log, no files lie beside it.
    db.pragma('journal_mode = DELETE');
  } finally {
    db.close();
  }
}

export function readRawSqlite(path: string): RawReader {
  const db = new Database(path, { readonly: true });
  const prepared = new Map<string, Database.Statement>();
  const prepare = (text: string) => {
    const known = prepared.get(text) ?? db.prepare(withTables(text, (name) => name));
    prepared.set(text, known);
    return known;
  };
  return {
    all: (text, params) => prepare(text).all(...params) as RawRow[],
    async *cursor(text) {
      let rows: RawRow[] = [];
      for (const row of prepare(text).iterate()) {
        rows.push(row as RawRow);
        if (rows.length < CURSOR_ROWS) continue;
        yield rows;
        rows = [];
      }
      yield rows;
    },
    close: async () => {
      db.close();
    },
  };
}
