import type BetterSqlite3 from 'better-sqlite3';
import type { Database, Statement as Prepared } from 'better-sqlite3';
import { StoreUnavailableError } from '../errors.ts';
import type { Batch, BatchOutcome } from '../sql/batch.ts';
import {
  type Driver,
  KEY_BLOCK,
  type Row,
  type Script,
  type SqlParam,
  type SqlValue,
  type Step,
} from '../sql/driver.ts';
import { render, type Statement, statement } from '../sql/statement.ts';
import { type Executor, Refused, runBatch } from './batch.ts';
import { sqliteDialect } from './dialect.ts';
import { translate } from './errors.ts';
import { WriteQueue } from './write-queue.ts';

/** How often a process looks whether another one has changed the file. */
const POLL_MS = 25;
const RESERVE_KEYS = statement(
  'reserve_keys',
  `UPDATE {keys} SET next = next + ${KEY_BLOCK} RETURNING next - ${KEY_BLOCK} AS first`,
);

/** How long reads may follow each other without giving way. */
const MAX_TURN_MS = 10;

interface Compiled {
  prepared: Prepared;
  /** For each `?` of the rendered text, the index of its parameter. */
  order: number[];
}

/** The port on better-sqlite3: one connection, synchronous statements, group commit for writes. */
export class SqliteDriver implements Driver, Executor {
  readonly dialect = sqliteDialect;
  readonly #db: Database;
  readonly #path: string;
  readonly #queue: WriteQueue;
  readonly #begin: Prepared;
  readonly #end: Prepared;
  readonly #compiled = new Map<Statement, Compiled>();
  readonly #listeners = new Set<() => void>();
  #poll: NodeJS.Timeout | undefined;
  #dataVersion = 0;
  /** When a read last gave way to the event loop. */
  #turnAt = 0;

  constructor(db: BetterSqlite3.Database, path: string, busyTimeoutMs: number) {
    this.#db = db;
    this.#path = path;
    this.#queue = new WriteQueue(db, busyTimeoutMs);
    this.#begin = db.prepare('BEGIN');
    this.#end = db.prepare('COMMIT');
  }

  /** Repeats `work` for as long as the store waits for other processes. */
  whenFree<T>(work: () => T): Promise<T> {
    return this.#queue.whenFree(work);
  }

  pragma(text: string): void {
    this.#db.pragma(text);
  }

  all(source: Statement, params: readonly SqlValue[]): Row[] {
    const { prepared, order } = this.#compile(source);
    const bound = order.map((index) => params[index]);
    if (prepared.reader) return prepared.all(bound) as Row[];
    prepared.run(bound);
    return [];
  }

  run(source: Statement, params: readonly SqlValue[]): number {
    const { prepared, order } = this.#compile(source);
    return prepared.run(order.map((index) => params[index])).changes;
  }

  async read(source: Statement, params: readonly SqlParam[]): Promise<Row[]> {
    return this.#reading(() => this.all(source, params as readonly SqlValue[]));
  }

  async write(source: Statement, params: readonly SqlParam[]): Promise<Row[]> {
    try {
      return await this.#queue.submit(() => this.all(source, params as readonly SqlValue[]));
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  async snapshot<T>(script: () => Script<T>): Promise<T> {
    return this.#reading(() => {
      this.#begin.run();
      try {
        return this.#drive(script());
      } finally {
        if (this.#db.inTransaction) this.#end.run();
      }
    });
  }

  async batch(batch: Batch): Promise<BatchOutcome> {
    try {
      const outcome = await this.#queue.submit(() => runBatch(this, batch, Date.now()));
      if (batch.guard && batch.guard.events > 0) this.#wake();
      return outcome;
    } catch (error) {
      if (error instanceof Refused) return error.outcome;
      throw translate(error, this.#path);
    }
  }

  async transact<T>(script: () => Script<T>): Promise<T> {
    try {
      return await this.#queue.submit(() => this.#drive(script()));
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  async reserveKeys(): Promise<number> {
    const rows = await this.write(RESERVE_KEYS, []);
    return Number(rows[0]?.first);
  }

  /** `PRAGMA data_version` changes when another connection commits: cheaper than asking a table. */
  subscribe(onChange: () => void): () => void {
    this.#listeners.add(onChange);
    if (!this.#poll) {
      this.#dataVersion = this.#readDataVersion();
      this.#poll = setInterval(() => {
        const version = this.#readDataVersion();
        if (version === this.#dataVersion) return;
        this.#dataVersion = version;
        this.#wake();
      }, POLL_MS);
      this.#poll.unref();
    }
    return () => {
      this.#listeners.delete(onChange);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#poll);
      this.#poll = undefined;
    };
  }

  async notify(): Promise<void> {
    this.#wake();
  }

  async backup(path: string): Promise<void> {
    try {
      await this.#db.backup(path);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new StoreUnavailableError(
        `The backup to ${path} failed: ${message}. Check that its folder exists, is writable and has room.`,
        { cause: error },
      );
    }
  }

  async close(): Promise<void> {
    await this.#queue.drain();
    clearInterval(this.#poll);
    this.#db.close();
  }

  #readDataVersion(): number {
    return Number(this.#db.pragma('data_version', { simple: true }));
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  #drive<T>(script: Script<T>): T {
    let next = script.next([]);
    while (!next.done) next = script.next(this.#step(next.value));
    return next.value;
  }

  #step(step: Step): Row[] | BatchOutcome {
    if (!('batch' in step)) return this.all(step.statement, step.params as readonly SqlValue[]);
    try {
      return runBatch(this, step.batch, Date.now());
    } catch (error) {
      if (error instanceof Refused) return error.outcome;
      throw error;
    }
  }

  /**
   * Reads are synchronous, so a caller that reads in a loop would never let timers, sockets or our own
   * group commit have their turn: now and then a read gives way.
   *
   * Readers don't wait for writers in WAL mode, but a recovery or a schema change may keep them out.
   */
  async #reading<T>(work: () => T): Promise<T> {
    if (performance.now() - this.#turnAt > MAX_TURN_MS) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#turnAt = performance.now();
    }
    try {
      return await this.#queue.whenFree(work);
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  #compile(source: Statement): Compiled {
    const known = this.#compiled.get(source);
    if (known) return known;
    const order: number[] = [];
    const text = render(source, this.dialect).replace(/\$(\d+)/g, (_match, digits: string) => {
      order.push(Number(digits) - 1);
      return '?';
    });
    const compiled = { prepared: this.#db.prepare(text), order };
    this.#compiled.set(source, compiled);
    return compiled;
  }
}
