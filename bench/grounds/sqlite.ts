import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { Fleets } from '../fleet/fleets.ts';
import { openSqliteFleet } from '../fleet/sqlite.ts';
import type { Ground, GroundOptions, Inspector, Target } from '../ground.ts';
import { openRawSqlite } from '../raw/sqlite.ts';
import { TransactionCounter } from './sqlite-transactions.ts';

export function sqliteTarget(): Target {
  const db = new Database(':memory:');
  const version = String(db.prepare('SELECT sqlite_version()').pluck().get());
  db.close();
  const fleets = new Fleets(openSqliteFleet);
  return {
    name: 'sqlite',
    version: `SQLite ${version}`,
    open: openGround,
    fleet: (agents) => fleets.open(agents),
    close: () => fleets.close(),
  };
}

async function openGround({ durability = 'full', counted = false }: GroundOptions = {}): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'kode-bench-'));
  const path = join(folder, 'agents.db');
  const counter = counted ? new TransactionCounter() : undefined;
  const store = await new SqliteStore(path, folder, { durability }).open();
  const raw = openRawSqlite(join(folder, 'raw.db'), durability === 'full' ? 'FULL' : 'NORMAL');
  const inspector = new SqliteInspector(path, counter);
  return {
    store,
    raw,
    inspect: inspector,
    extended: () => store,
    another: () => new SqliteStore(path, folder, { durability }).open(),
    async close() {
      counter?.stop();
      inspector.close();
      await raw.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const WAL_HEADER = 32;
const FRAME_HEADER = 24;

/**
 * A reader that stays open keeps SQLite from beginning its write-ahead log anew: from then on the log's
 * length says what was written, and its frames say how often something was committed.
 */
class SqliteInspector implements Inspector {
  readonly #path: string;
  readonly #wal: string;
  #reader: Database.Database | undefined;
  readonly #others: Database.Database[] = [];

  readonly #counter: TransactionCounter | undefined;

  constructor(path: string, counter: TransactionCounter | undefined) {
    this.#path = path;
    this.#counter = counter;
    this.#wal = `${path}-wal`;
  }

  async logged(): Promise<number> {
    this.#hold();
    return existsSync(this.#wal) ? statSync(this.#wal).size : 0;
  }

  async size(): Promise<number> {
    const db = this.#connect();
    const pages = Number(db.pragma('page_count', { simple: true }));
    return pages * Number(db.pragma('page_size', { simple: true }));
  }

  async countWrites(table: string): Promise<() => Promise<number>> {
    const db = this.#connect();
    db.exec('CREATE TABLE IF NOT EXISTS bench_writes (n INTEGER); INSERT INTO bench_writes VALUES (0);');
    for (const event of ['INSERT', 'UPDATE', 'DELETE']) {
      db.exec(
        `CREATE TRIGGER bench_${event} AFTER ${event} ON ${table} BEGIN UPDATE bench_writes SET n = n + 1; END`,
      );
    }
    const select = db.prepare('SELECT n FROM bench_writes').pluck();
    return async () => Number(select.get());
  }

  requests(): number {
    if (!this.#counter) throw new Error('Open the ground with { counted: true } to count transactions.');
    return this.#counter.count;
  }

  /** Each transaction's last frame names the size of the database after it. */
  async commits(): Promise<number> {
    const length = await this.logged();
    if (length === 0) return 0;
    const file = openSync(this.#wal, 'r');
    try {
      const header = Buffer.alloc(WAL_HEADER);
      readSync(file, header, 0, WAL_HEADER, 0);
      const step = FRAME_HEADER + header.readUInt32BE(8);
      const frame = Buffer.alloc(FRAME_HEADER);
      let commits = 0;
      for (let at = WAL_HEADER; at + step <= length; at += step) {
        readSync(file, frame, 0, FRAME_HEADER, at);
        if (frame.readUInt32BE(4) !== 0) commits += 1;
      }
      return commits;
    } finally {
      closeSync(file);
    }
  }

  close(): void {
    this.#reader?.close();
    for (const db of this.#others) db.close();
  }

  #hold(): void {
    if (this.#reader) return;
    this.#reader = new Database(this.#path);
    this.#reader.pragma('wal_checkpoint(TRUNCATE)');
    this.#reader.exec('BEGIN');
    this.#reader.prepare('SELECT count(*) FROM sqlite_master').get();
  }

  #connect(): Database.Database {
    const db = new Database(this.#path);
    this.#others.push(db);
    return db;
  }
}
