// Reads everything in a process of its own, whose memory is nobody else's. Arguments: "store" or "raw", and a
// place, as JSON.
import pg from 'pg';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { FleetPlace } from './fleet.ts';
import { readRawPostgres } from './postgres.ts';
import { ALL_MESSAGES, asMessage } from './queries.ts';
import { readRawSqlite } from './sqlite.ts';

export interface Iterated {
  rows: number;
  /** Bytes by which the process grew at most. */
  grown: number;
}

interface Source {
  rows: AsyncIterable<unknown>;
  close(): Promise<void>;
}

const [, , side = 'store', place = ''] = process.argv;
const source = await (side === 'store' ? openStore : openRaw)(JSON.parse(place) as FleetPlace);
globalThis.gc?.();
const start = process.memoryUsage.rss();
let peak = start;
let rows = 0;
for await (const _ of source.rows) {
  rows += 1;
  if (rows % 256 === 0) peak = Math.max(peak, process.memoryUsage.rss());
}
await source.close();
const iterated: Iterated = { rows, grown: peak - start };
console.log(JSON.stringify(iterated));

async function openStore(at: FleetPlace): Promise<Source> {
  const store =
    at.backend === 'sqlite'
      ? new SqliteStore(at.path)
      : new PostgresStore(at.url, undefined, { schema: at.schema });
  await store.open();
  return { rows: store.iterateMessages(), close: () => store.close() };
}

async function openRaw(at: FleetPlace): Promise<Source> {
  if (at.backend === 'sqlite') {
    const reader = readRawSqlite(at.rawPath);
    return { rows: messagesOf(reader.cursor(ALL_MESSAGES)), close: () => reader.close() };
  }
  const pool = new pg.Pool({ connectionString: at.url });
  await pool.query('SELECT 1');
  const reader = readRawPostgres(pool, at.rawSchema);
  return { rows: messagesOf(reader.cursor(ALL_MESSAGES)), close: () => pool.end() };
}

async function* messagesOf(pages: ReturnType<ReturnType<typeof readRawSqlite>['cursor']>) {
  for await (const page of pages) for (const row of page) yield asMessage(row);
}
