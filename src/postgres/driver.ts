import { StoreConfigError, StoreUnavailableError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { sha256 } from '../model/crypto.ts';
import type { Batch, BatchOutcome } from '../sql/port/batch.ts';
import type { Bounds, Driver, Script, Shapes, Step } from '../sql/port/driver.ts';
import { render, type Shape, type Statement, statement } from '../sql/port/statement.ts';
import type { Row, SqlValue } from '../sql/port/values.ts';
import { readOutcome, renderBatch } from './batch.ts';
import type { Connection } from './connection.ts';
import type { PostgresDialect } from './dialect.ts';
import { isLostStatement } from './errors.ts';
import type { Listener } from './listener.ts';
import type { Param } from './params.ts';
import type { Probe } from './probe.ts';
import { ServerTime } from './server-time.ts';
import type { Limit } from './statement-wait.ts';
import { LostStatement, type Units } from './units.ts';

const RESERVE_KEYS = statement(
  'reserve_keys',
  'SELECT nextval($1::regclass) AS first FROM generate_series(1, $2::int)',
);
const PRESENT = statement('present', 'SELECT 1 AS present WHERE to_regclass($1) IS NOT NULL');
const SERVER_TIME = statement('server_time', 'SELECT {now} AS now');
const NOTIFY = statement('notify', `SELECT pg_notify($1, '') AS notified`);
/** Renewals are tried again within a lease's time: sooner than others they give a connection up that is dead. */
export const URGENT_TIMEOUT_MS = 3_000;

/** Numbers come as numbers; everything else that we read is text. Set per query, never globally. */
const TYPES = {
  getTypeParser: (oid: number) => (NUMERIC_OIDS.has(oid) ? Number : asIs),
};
const asIs = (value: string) => value;
/** int8, int2, int4, float4, float8, numeric: https://www.postgresql.org/docs/current/catalog-pg-type.html */
const NUMERIC_OIDS = new Set([20, 21, 23, 700, 701, 1700]);

interface Compiled {
  name: string;
  text: string;
}

export interface DriverOptions {
  readonly dialect: PostgresDialect;
  readonly clock: Clock;
  readonly units: Units;
  readonly callTimeoutMs: number;
  readonly probe: Probe;
  readonly listener: Listener;
  readonly prepare: 'auto' | boolean;
  readonly onClose: () => Promise<void>;
}

/** What all views of a database share: see `bounded`. */
interface Statements {
  /** Weak, because statements that are composed at run time are forgotten when they are no longer in use. */
  readonly compiled: WeakMap<Statement<Shape>, Compiled>;
  named: boolean;
}

/** The port on a `pg` pool: no session state, so that it also works behind a transaction pooler. */
export class PostgresDriver implements Driver {
  readonly dialect: PostgresDialect;
  readonly clock: Clock;
  readonly time: ServerTime;
  readonly #options: DriverOptions;
  readonly #units: Units;
  readonly #statements: Statements;
  /** For each statement. */
  readonly #limit: Limit;
  readonly #urgent: Limit;

  constructor(options: DriverOptions, limit?: Limit, statements?: Statements, time?: ServerTime) {
    const { callTimeoutMs } = options;
    this.#options = options;
    this.dialect = options.dialect;
    this.clock = options.clock;
    this.time = time ?? new ServerTime(options.clock, () => this.#askTime());
    this.#units = options.units;
    this.#limit = limit ?? { timeoutMs: callTimeoutMs };
    this.#urgent = { timeoutMs: Math.min(URGENT_TIMEOUT_MS, callTimeoutMs) };
    this.#statements = statements ?? { compiled: new WeakMap(), named: options.prepare !== false };
  }

  read<S extends Shape>(source: Statement<S>, params: readonly SqlValue[]): Promise<Shapes[S][]> {
    const unit = { writes: false, limit: this.#limit };
    return this.#units.run(unit, (connection) => this.#query(connection, source, params));
  }

  write(source: Statement, params: readonly Param[]): Promise<Row[]> {
    const unit = { writes: true, limit: this.#limit };
    return this.#units.run(unit, (connection) => this.#query(connection, source, params));
  }

  urgent(source: Statement, params: readonly SqlValue[]): Promise<Row[]> {
    const unit = { writes: true, limit: this.#urgent, urgent: true };
    return this.#units.run(unit, (connection) => this.#query(connection, source, params));
  }

  keepUrgent(): () => void {
    return this.#units.keep(this.#urgent);
  }

  bounded(bounds: Bounds): PostgresDriver {
    const { callTimeoutMs, probe } = this.#options;
    const limit =
      'until' in bounds ? { ...bounds, probe } : { timeoutMs: Math.min(bounds.timeoutMs, callTimeoutMs) };
    return new PostgresDriver(this.#options, limit, this.#statements, this.time);
  }

  async snapshot<T>(script: () => Script<T>): Promise<T> {
    return this.#inTransaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', false, script);
  }

  /** The server has processes enough. */
  async analyse<T>(script: () => Script<T>): Promise<T> {
    return this.snapshot(script);
  }

  async transact<T>(script: () => Script<T>): Promise<T> {
    // Whatever the server's default is: scripts lock first, and what they read next must be what is there then.
    return this.#inTransaction('BEGIN ISOLATION LEVEL READ COMMITTED', true, script);
  }

  async batch(batch: Batch): Promise<BatchOutcome> {
    const { statement: source, params } = renderBatch(batch, this.#options.listener.channel);
    const rows = await this.write(source, params);
    const outcome = readOutcome(rows[0], batch);
    if (outcome.head) this.time.hear(outcome.head.now);
    return outcome;
  }

  async #askTime(): Promise<number> {
    const [row] = await this.read(SERVER_TIME, []);
    return Number(row?.now);
  }

  async present(): Promise<void> {
    const name = this.dialect.table('heads');
    if ((await this.read(PRESENT, [name])).length > 0) return;
    throw new StoreUnavailableError(
      `The table ${name} isn't there any more: it, or its schema, was dropped while this store had it open. Restore it from a backup, and open a new store.`,
    );
  }

  async reserveKeys(blocks: number): Promise<number[]> {
    const rows = await this.read(RESERVE_KEYS, [this.dialect.table('keys'), blocks]);
    return rows.map((row) => Number(row.first));
  }

  subscribe(onChange: () => void): () => void {
    return this.#options.listener.subscribe(onChange);
  }

  async notify(): Promise<void> {
    await this.write(NOTIFY, [this.#options.listener.channel]);
  }

  async backup(): Promise<void> {
    throw new StoreConfigError(
      'backup() copies a SQLite file. Back a PostgreSQL database up with pg_dump, which is consistent while the store is in use.',
    );
  }

  endAll(): void {
    this.#units.endAll();
  }

  async close(): Promise<void> {
    await this.#options.listener.close();
    await this.#options.onClose();
  }

  #inTransaction<T>(begin: string, writes: boolean, script: () => Script<T>): Promise<T> {
    return this.#units.run({ writes, limit: this.#limit }, (connection) =>
      connection.transaction(begin, () => this.#drive(connection, script())),
    );
  }

  async #drive<T>(connection: Connection, script: Script<T>): Promise<T> {
    let next = script.next([]);
    while (!next.done) {
      next = script.next(await this.#step(connection, next.value));
    }
    return next.value;
  }

  async #step(connection: Connection, step: Step): Promise<Shapes[Shape][] | BatchOutcome> {
    if (!('batch' in step)) return this.#query(connection, step.statement, step.params);
    const { statement: source, params } = renderBatch(step.batch, this.#options.listener.channel);
    return readOutcome((await this.#query(connection, source, params))[0], step.batch);
  }

  async #query<S extends Shape>(
    connection: Connection,
    source: Statement<S>,
    params: readonly Param[],
  ): Promise<Shapes[S][]> {
    const { name, text } = this.#compile(source);
    const config = { text, values: [...params], types: TYPES };
    if (!this.#statements.named || text.startsWith('CREATE')) return connection.rows(source.shape, config);
    try {
      return await connection.rows(source.shape, { ...config, name });
    } catch (error) {
      if (this.#options.prepare !== 'auto' || !isLostStatement(error)) throw error;
      // A transaction pooler is in between: unnamed statements for good. The statement didn't run.
      this.#statements.named = false;
      connection.forgive(error);
      if (connection.inTransaction) throw new LostStatement(error);
      return connection.rows(source.shape, config);
    }
  }

  #compile(source: Statement<Shape>): Compiled {
    const known = this.#statements.compiled.get(source);
    if (known) return known;
    const text = render(source, this.dialect);
    // Names are per connection, which stores with other schemas may share: the text decides.
    const name = `kode_${sha256(text, 'base64url').slice(0, 22)}`;
    const compiled = { name, text };
    this.#statements.compiled.set(source, compiled);
    return compiled;
  }
}
