import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import pg from 'pg';
import { Network } from '../../test/support/network.ts';

/** What work asked of the database, and what it left there. */
export interface Counts {
  /** Inserted, changed and removed. */
  rows?: number;
  /** Written to the log, or to the files. */
  bytes: number;
  statements?: number;
  /** To the server. */
  roundTrips?: number;
}

/** Looks from below the package, in the same way whatever its version. */
export interface Counter {
  read(): Promise<Counts>;
  close(): Promise<void>;
}

type Prepare = typeof Database.prototype.prepare;

/** Of all connections in this process that are opened from now on. */
export class SqliteCounter implements Counter {
  readonly #path: string;
  readonly #connections = new Set<Database.Database>();
  #statements = 0;
  #reader: Database.Database | undefined;

  constructor(path: string) {
    this.#path = path;
    const counter = this;
    const prepare = Database.prototype.prepare;
    Database.prototype.prepare = function (this: Database.Database, source: string) {
      counter.#connections.add(this);
      const statement = prepare.call(this, source);
      for (const name of ['run', 'get', 'all'] as const) {
        const call = statement[name] as (...params: unknown[]) => unknown;
        const counted = (...params: unknown[]) => {
          counter.#statements += 1;
          return call.apply(statement, params);
        };
        Object.defineProperty(statement, name, { value: counted });
      }
      return statement;
    } as Prepare;
  }

  async read(): Promise<Counts> {
    this.#hold();
    const statements = this.#statements;
    let rows = 0;
    for (const db of this.#connections) {
      if (db.open) rows += Number(db.prepare('SELECT total_changes()').pluck().get());
    }
    this.#statements = statements;
    const log = `${this.#path}-wal`;
    return { rows, bytes: existsSync(log) ? statSync(log).size : 0, statements };
  }

  async close(): Promise<void> {
    this.#reader?.close();
  }

  /** A reader that stays keeps SQLite from beginning its log anew: its length says what was written. */
  #hold(): void {
    if (this.#reader || !existsSync(this.#path)) return;
    this.#reader = new Database(this.#path);
    this.#reader.pragma('wal_checkpoint(TRUNCATE)');
    this.#reader.exec('BEGIN');
    this.#reader.exec('SELECT count(*) FROM sqlite_master');
  }
}

/** Of the clients of a pool that the store is given, and of those that it makes itself. */
export class PostgresCounter implements Counter {
  readonly pool: pg.Pool;
  readonly #schema: string;
  readonly #network: Network;
  readonly #admin: pg.Client;
  readonly #clients = new Set<pg.Client>();
  #statements = 0;

  private constructor(pool: pg.Pool, schema: string, network: Network, admin: pg.Client) {
    this.pool = pool;
    this.#schema = schema;
    this.#network = network;
    this.#admin = admin;
    this.#watch();
  }

  static async on(url: string, schema: string): Promise<PostgresCounter> {
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const network = await Network.to(url);
    const pool = new pg.Pool({ connectionString: network.url(url), max: 4 });
    return new PostgresCounter(pool, schema, network, admin);
  }

  async read(): Promise<Counts> {
    const [statements, roundTrips] = [this.#statements, this.#network.roundTrips];
    // Each backend keeps its counts for a while.
    for (const client of this.#clients) {
      await client.query('SELECT pg_stat_force_next_flush()').catch(() => this.#clients.delete(client));
    }
    const { rows } = await this.#admin.query(
      `SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes,
         (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = $1) AS rows`,
      [this.#schema],
    );
    const [bytes, changed] = [Number(rows[0].bytes), Number(rows[0].rows)];
    this.#statements = statements;
    this.#network.roundTrips = roundTrips;
    return { rows: changed, bytes, statements, roundTrips };
  }

  async close(): Promise<void> {
    await this.pool.end();
    await this.#admin.end();
    await this.#network.refuse();
  }

  #watch(): void {
    const counter = this;
    const { query } = pg.Client.prototype;
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      if (this !== counter.#admin) {
        counter.#clients.add(this);
        counter.#statements += 1;
      }
      return Reflect.apply(query, this, args);
    } as typeof query;
  }
}

export class FolderCounter implements Counter {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(): Promise<Counts> {
    let bytes = 0;
    for (const entry of readdirSync(this.#folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
    }
    return { bytes };
  }

  async close(): Promise<void> {}
}

export function difference(before: Counts, after: Counts): Counts {
  const less = (key: keyof Counts) => {
    const value = after[key];
    return value === undefined ? {} : { [key]: value - (before[key] ?? 0) };
  };
  return { bytes: after.bytes - before.bytes, ...less('rows'), ...less('statements'), ...less('roundTrips') };
}
