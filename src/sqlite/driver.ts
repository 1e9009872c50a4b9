import type BetterSqlite3 from 'better-sqlite3';
import type { Database, Statement as Prepared } from 'better-sqlite3';
import { type Clock, systemClock } from '../model/clock.ts';
import { type DatabaseTime, hostTime } from '../model/database-time.ts';
import { RecentMap } from '../model/recent-map.ts';
import type { Batch, BatchOutcome } from '../sql/port/batch.ts';
import { type Driver, KEY_BLOCK, run, type Script, type Shapes, type Step } from '../sql/port/driver.ts';
import { type Shape, type Statement, statement, statementOfArrays } from '../sql/port/statement.ts';
import type { Row, SqlValue } from '../sql/port/values.ts';
import type { CheckedBackup } from '../store/arguments.ts';
import type { Modes } from '../store/modes.ts';
import { MEMORY } from '../store/paths.ts';
import { backUp } from './backup.ts';
import { Refused, runBatch } from './batch.ts';
import { sqliteDialect } from './dialect.ts';
import { translate } from './errors.ts';
import type { Executor } from './executor.ts';
import { FileIdentity } from './file-identity.ts';
import { loadBetterSqlite } from './load.ts';
import { NOW, positional } from './positional.ts';
import { Reader } from './reader.ts';
import { whenFree } from './when-free.ts';
import { WriteQueue, type WriteQueueOptions } from './write-queue.ts';

/** How often a process looks whether another one has changed the file. */
const POLL_MS = 25;
const RESERVE_KEYS = statement(
  'reserve_keys',
  'UPDATE {keys} SET next = next + $1 RETURNING next - $1 AS first',
);

/** How often a store that writes looks whether its files are still there. A pause is longer. */
const LOOK_MS = 100;

/** How long reads may follow each other without giving way. */
const MAX_TURN_MS = 10;

export interface DriverOptions extends WriteQueueOptions {
  /** Of the files that are created. */
  readonly modes: Modes;
}
/** More than the source has; what is composed at run time takes the rest. */
export const MAX_COMPILED = 1_000;

/**
 * Files up to this size are checked in 4 ms at most, and counted in less. To start a thread takes 40 ms of
 * the processor and 10 MB of memory: it pays for those that are larger.
 */
const SMALL_BYTES = 256 * 1024;

/** They end after so many findings: a damaged file has more than anybody reads. */
const INTEGRITY_CHECK = statementOfArrays('integrity_check', 'PRAGMA integrity_check(100)');
const QUICK_CHECK = statementOfArrays('quick_check', 'PRAGMA quick_check(100)');

interface Compiled {
  prepared: Prepared;
  order: readonly number[];
  /** The order is that of the parameters, as it is in most statements. */
  straight: boolean;
}

/** The port on better-sqlite3: one connection, synchronous statements, group commit for writes. */
export class SqliteDriver implements Driver, Executor {
  readonly dialect = sqliteDialect;
  readonly clock: Clock;
  readonly time: DatabaseTime;
  readonly #db: Database;
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #modes: Modes;
  #identity: FileIdentity | undefined;
  /** When its files were last seen in their place, by the monotonic clock. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #queue: WriteQueue;
  /** A database in memory has no second connection. */
  readonly #reader: Reader | undefined;
  readonly #begin: Prepared;
  readonly #end: Prepared;
  readonly #compiled = new RecentMap<Statement<Shape>, Compiled>(MAX_COMPILED);
  readonly #listeners = new Set<() => void>();
  #poll: NodeJS.Timeout | undefined;
  #dataVersion = 0;
  /** When the first read since the event loop's last turn began. */
  #turnAt: number | undefined;

  constructor(db: BetterSqlite3.Database, path: string, options: DriverOptions, clock: Clock = systemClock) {
    this.clock = clock;
    this.time = hostTime(clock);
    this.#db = db;
    this.#path = path;
    this.#busyTimeoutMs = options.busyTimeoutMs;
    this.#modes = options.modes;
    this.#queue = new WriteQueue(db, { ...options, mayWrite: () => this.#lookForFiles() });
    this.#reader = path === MEMORY ? undefined : new Reader(path, options.busyTimeoutMs, clock);
    this.#begin = db.prepare('BEGIN');
    this.#end = db.prepare('COMMIT');
  }

  /** Repeats `work` for as long as the store waits for other processes. */
  whenFree<T>(work: () => T): Promise<T> {
    return whenFree(work, this.#busyTimeoutMs);
  }

  /** From now on, no other files than those that lie there now are written to. */
  rememberFiles(): void {
    if (this.#path !== MEMORY) this.#identity = new FileIdentity(this.#path);
  }

  async damage(level: 'quick' | 'full'): Promise<string[]> {
    const rows = await this.analyse(() => run(level === 'full' ? INTEGRITY_CHECK : QUICK_CHECK, []));
    return rows.map(([text]) => String(text)).filter((text) => text !== 'ok');
  }

  async present(): Promise<void> {
    try {
      this.#identity?.check();
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  pragma(text: string): void {
    this.#db.pragma(text);
  }

  all<S extends Shape>(source: Statement<S>, params: readonly SqlValue[]): Shapes[S][] {
    const compiled = this.#compile(source);
    const { prepared } = compiled;
    const bound = this.#bound(compiled, params);
    if (prepared.reader) return prepared.all(bound) as Shapes[S][];
    prepared.run(bound);
    return [];
  }

  run(source: Statement, params: readonly SqlValue[]): number {
    const compiled = this.#compile(source);
    return compiled.prepared.run(this.#bound(compiled, params)).changes;
  }

  async read<S extends Shape>(source: Statement<S>, params: readonly SqlValue[]): Promise<Shapes[S][]> {
    return this.#reading(() => this.all(source, params as readonly SqlValue[]));
  }

  async write(source: Statement, params: readonly SqlValue[]): Promise<Row[]> {
    try {
      return await this.#queue.submit(() => this.all(source, params as readonly SqlValue[]));
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  async urgent(source: Statement, params: readonly SqlValue[]): Promise<Row[]> {
    try {
      return await this.#queue.submitFirst(() => this.all(source, params as readonly SqlValue[]));
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  keepUrgent(): () => void {
    return () => undefined;
  }

  /** Nobody has to answer: what runs, runs here. */
  bounded(): this {
    return this;
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

  async analyse<T>(script: () => Script<T>): Promise<T> {
    try {
      if (!this.#reader || this.#isSmall()) return await this.snapshot(script);
      return await this.#reader.run(script);
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  async batch(batch: Batch): Promise<BatchOutcome> {
    try {
      const outcome = await this.#queue.submit(() => runBatch(this, batch, this.clock.now()));
      if (batch.guard && batch.guard.events > 0) this.#wake();
      return outcome;
    } catch (error) {
      if (error instanceof Refused) return error.outcome;
      throw translate(error, this.#path);
    }
  }

  async transact<T>(script: () => Script<T>): Promise<T> {
    try {
      const result = await this.#queue.submit(() => this.#drive(script()));
      // Of its own connection's commits this process isn't told by the file.
      this.#wake();
      return result;
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  async reserveKeys(blocks: number): Promise<number[]> {
    const rows = await this.write(RESERVE_KEYS, [blocks * KEY_BLOCK]);
    const first = Number(rows[0]?.first);
    return Array.from({ length: blocks }, (_, i) => first + i * KEY_BLOCK);
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

  /**
   * From a connection of its own, whose transaction sees one moment: however much is written meanwhile, by
   * whomever, the copy never begins anew. A database in memory has no other connection, and no other writer.
   */
  async backup(backup: CheckedBackup & { path: string }): Promise<void> {
    const memory = this.#path === MEMORY;
    const db = memory ? this.#db : await this.#another();
    try {
      if (!memory) await this.whenFree(() => holdMoment(db));
      await backUp(db, memory ? undefined : this.#path, { ...backup, modes: this.#modes });
    } catch (error) {
      throw translate(error, this.#path);
    } finally {
      if (!memory) db.close();
    }
  }

  /** What is under way ends by itself. */
  endAll(): void {}

  async close(): Promise<void> {
    await this.#queue.drain();
    await this.#reader?.close();
    clearInterval(this.#poll);
    this.#db.close();
  }

  #lookForFiles(): void {
    if (!this.#identity) return;
    const now = this.clock.monotonic();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#identity.check();
    this.#lookedAt = now;
  }

  async #another(): Promise<Database> {
    const BetterSqlite = await loadBetterSqlite();
    return new BetterSqlite(this.#path, { readonly: true, timeout: 0 });
  }

  #isSmall(): boolean {
    try {
      return this.#pragmaValue('page_count') * this.#pragmaValue('page_size') <= SMALL_BYTES;
    } catch {
      // Somebody locks the file, in a recovery for example: the thread waits for them.
      return false;
    }
  }

  #readDataVersion(): number {
    try {
      return this.#pragmaValue('data_version');
    } catch {
      // Locked, or worse: whoever reads will be told. Nobody would catch it in a timer.
      return this.#dataVersion;
    }
  }

  #pragmaValue(name: string): number {
    return Number(this.#db.pragma(name, { simple: true }));
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  #drive<T>(script: Script<T>): T {
    let next = script.next([]);
    while (!next.done) next = script.next(this.#step(next.value));
    return next.value;
  }

  #step(step: Step): Shapes[Shape][] | BatchOutcome {
    if (!('batch' in step)) return this.all(step.statement, step.params as readonly SqlValue[]);
    try {
      return runBatch(this, step.batch, this.clock.now());
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
    if (this.#turnAt === undefined) this.#beginTurn();
    else if (performance.now() - this.#turnAt > MAX_TURN_MS) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#turnAt === undefined) this.#beginTurn();
    }
    try {
      return await this.whenFree(work);
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  #beginTurn(): void {
    this.#turnAt = performance.now();
    setImmediate(() => {
      this.#turnAt = undefined;
    });
  }

  /** The instant is read here: what writes is executed when the transaction holds the write lock. */
  #bound({ order, straight }: Compiled, params: readonly SqlValue[]): readonly unknown[] {
    if (straight && params.length === order.length) return params;
    const now = this.clock.now();
    return order.map((index) => (index === NOW ? now : params[index]));
  }

  #compile(source: Statement<Shape>): Compiled {
    const known = this.#compiled.get(source);
    if (known) return known;
    const { text, order } = positional(source);
    const prepared = this.#db.prepare(text);
    if (source.shape === 'arrays') prepared.raw();
    if (source.shape === 'values') prepared.pluck();
    const compiled = { prepared, order, straight: order.every((index, i) => index === i) };
    this.#compiled.set(source, compiled);
    return compiled;
  }
}

/** Begins a transaction that reads: the first read decides which moment all of them see. */
function holdMoment(db: Database): void {
  if (!db.inTransaction) db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM sqlite_master').get();
}
