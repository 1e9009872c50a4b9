import type { Pool } from 'pg';
import { StoreConfigError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { sha256 } from '../model/crypto.ts';
import type { Batch, BatchOutcome } from '../sql/batch.ts';
import type { Driver, Row, Script, Shapes, SqlParam, Step } from '../sql/driver.ts';
import { render, type Shape, type Statement, statement } from '../sql/statement.ts';
import { readOutcome, renderBatch } from './batch.ts';
import { type Connection, checkOut } from './connection.ts';
import type { PostgresDialect } from './dialect.ts';
import { type Endpoint, isConnectionTimeout, isLostStatement, isRetryable, translate } from './errors.ts';
import { type Gate, gateOf, type Turn } from './gate.ts';
import type { Listener } from './listener.ts';

const RESERVE_KEYS = statement(
  'reserve_keys',
  'SELECT nextval($1::regclass) AS first FROM generate_series(1, $2::int)',
);
const NOTIFY = statement('notify', `SELECT pg_notify($1, '') AS notified`);
export const MAX_TRIES = 6;

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

/** The port on a `pg` pool: no session state, so that it also works behind a transaction pooler. */
export class PostgresDriver implements Driver {
  readonly dialect: PostgresDialect;
  readonly clock: Clock;
  readonly #pool: Pool;
  readonly #gate: Gate;
  readonly #ownsPool: boolean;
  readonly #endpoint: Endpoint;
  readonly #listener: Listener;
  readonly #compiled = new Map<Statement<Shape>, Compiled>();
  #named: boolean;
  readonly #onClose: () => void;
  readonly #fixedNaming: boolean;

  constructor(options: {
    dialect: PostgresDialect;
    clock: Clock;
    pool: Pool;
    ownsPool: boolean;
    endpoint: Endpoint;
    listener: Listener;
    prepare: 'auto' | boolean;
    onClose: () => void;
  }) {
    this.dialect = options.dialect;
    this.clock = options.clock;
    this.#pool = options.pool;
    this.#gate = gateOf(options.pool);
    this.#ownsPool = options.ownsPool;
    this.#endpoint = options.endpoint;
    this.#listener = options.listener;
    this.#onClose = options.onClose;
    this.#named = options.prepare !== false;
    this.#fixedNaming = options.prepare !== 'auto';
  }

  read<S extends Shape>(source: Statement<S>, params: readonly SqlParam[]): Promise<Shapes[S][]> {
    return this.#unit(1, (connection) => this.#query(connection, source, params));
  }

  write(source: Statement, params: readonly SqlParam[]): Promise<Row[]> {
    return this.#unit(MAX_TRIES, (connection) => this.#query(connection, source, params));
  }

  urgent(source: Statement, params: readonly SqlParam[]): Promise<Row[]> {
    return this.write(source, params);
  }

  async snapshot<T>(script: () => Script<T>): Promise<T> {
    return this.#inTransaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', script);
  }

  /** The server has processes enough. */
  async analyse<T>(script: () => Script<T>): Promise<T> {
    return this.snapshot(script);
  }

  async transact<T>(script: () => Script<T>): Promise<T> {
    // Whatever the server's default is: scripts lock first, and what they read next must be what is there then.
    return this.#inTransaction('BEGIN ISOLATION LEVEL READ COMMITTED', script);
  }

  async batch(batch: Batch): Promise<BatchOutcome> {
    const { statement: source, params } = renderBatch(batch, this.#listener.channel);
    const rows = await this.#unit(MAX_TRIES, (connection) => this.#query(connection, source, params));
    return readOutcome(rows[0], batch);
  }

  async reserveKeys(blocks: number): Promise<number[]> {
    const rows = await this.read(RESERVE_KEYS, [this.dialect.table('keys'), blocks]);
    return rows.map((row) => Number(row.first));
  }

  subscribe(onChange: () => void): () => void {
    return this.#listener.subscribe(onChange);
  }

  async notify(): Promise<void> {
    await this.write(NOTIFY, [this.#listener.channel]);
  }

  async backup(): Promise<void> {
    throw new StoreConfigError(
      'backup() copies a SQLite file. Back a PostgreSQL database up with pg_dump, which is consistent while the store is in use.',
    );
  }

  async close(): Promise<void> {
    await this.#listener.close();
    if (this.#ownsPool) await this.#pool.end();
    this.#onClose();
  }

  #inTransaction<T>(begin: string, script: () => Script<T>): Promise<T> {
    return this.#unit(MAX_TRIES, (connection) =>
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
    const { statement: source, params } = renderBatch(step.batch, this.#listener.channel);
    return readOutcome((await this.#query(connection, source, params))[0], step.batch);
  }

  async #query<S extends Shape>(
    connection: Connection,
    source: Statement<S>,
    params: readonly SqlParam[],
  ): Promise<Shapes[S][]> {
    const { name, text } = this.#compile(source);
    const config = { text, values: [...params], types: TYPES };
    if (!this.#named || text.startsWith('CREATE')) return connection.rows(source.shape, config);
    try {
      return await connection.rows(source.shape, { ...config, name });
    } catch (error) {
      if (this.#fixedNaming || !isLostStatement(error)) throw error;
      // A transaction pooler is in between: unnamed statements for good. The statement didn't run.
      this.#named = false;
      connection.forgive(error);
      if (connection.inTransaction) throw new LostStatement(error);
      return connection.rows(source.shape, config);
    }
  }

  /**
   * What takes one connection of the pool: a statement or a transaction. Deadlocks and serialization failures
   * roll everything back, so the unit as a whole is run again, up to so many times.
   */
  async #unit<T>(most: number, work: (connection: Connection) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      let turn: Turn | undefined;
      try {
        turn = this.#gate.enter() ?? (await this.#gate.turn());
        const connection = await checkOut(this.#pool);
        let result: T;
        try {
          result = await work(connection);
        } finally {
          connection.release();
        }
        this.#gate.leave();
        return result;
      } catch (error) {
        if (turn && isConnectionTimeout(error)) this.#gate.giveUp(turn, error);
        else if (turn) this.#gate.leave();
        const worthIt = isRetryable(error) || error instanceof LostStatement;
        if (tries >= most || !worthIt) throw translate(error, this.#endpoint);
      }
      await new Promise((resolve) => setTimeout(resolve, 2 ** tries * Math.random()));
    }
  }

  #compile(source: Statement<Shape>): Compiled {
    const known = this.#compiled.get(source);
    if (known) return known;
    const text = render(source, this.dialect);
    // Names are per connection, which stores with other schemas may share: the text decides.
    const name = `kode_${sha256(text, 'base64url').slice(0, 22)}`;
    const compiled = { name, text };
    this.#compiled.set(source, compiled);
    return compiled;
  }
}

/** A named statement was lost within a transaction, which is aborted: begin it anew without names. */
class LostStatement extends Error {
  constructor(cause: unknown) {
    super('A named statement was lost', { cause });
  }
}
