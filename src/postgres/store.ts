import type { Pool } from 'pg';
import { StoreConfigError } from '../errors.ts';
import { CLOCK, clockOf } from '../model/clock.ts';
import { Engine } from '../sql/engine.ts';
import { SqlStore } from '../sql/store.ts';
import { completeConnection, type PostgresConnection } from '../store/config.ts';
import { givenPath } from '../store/paths.ts';
import { connectPostgres, connectReader, isPool } from './connect.ts';

export interface PostgresOptions {
  /** The schema that holds the tables; created if it is missing. Default `public`. */
  schema?: string | undefined;
  /**
   * `auto` (default): prepared statements by name until a pooler loses one, then unnamed for good.
   * `true` and `false` fix it.
   */
  prepare?: 'auto' | boolean | undefined;
  /**
   * Where queries, iterators and statistics read: a replica of the same database, for example. What it
   * hasn't received yet is missing there; loading, committing and following events use the primary.
   */
  readConnection?: PostgresConnection | string | Pool | undefined;
}

const MAX_SCHEMA_BYTES = 63;

/**
 * A store on a PostgreSQL server (15 or later), shared by any number of processes, directly or behind a
 * pooler in transaction mode.
 *
 * @example
 * const store = new PostgresStore({ host: 'localhost', database: 'kode_agents', user: 'kode', password });
 */
export class PostgresStore extends SqlStore {
  protected readonly fileStoreDirectory: string | undefined;
  readonly #connection: PostgresConnection | Pool;
  readonly #schema: string;
  readonly #prepare: 'auto' | boolean;
  readonly #readConnection: PostgresConnection | Pool | undefined;

  /** `connection`: options of `pg`'s pool, a URL, or a pool of yours, which the store never closes. */
  constructor(
    connection: PostgresConnection | string | Pool,
    fileStoreBaseDir?: string,
    options: PostgresOptions = {},
  ) {
    super(clockOf(options));
    this.#connection = checkConnection(connection);
    const { schema = 'public', prepare = 'auto' } = options;
    if (
      typeof schema !== 'string' ||
      schema === '' ||
      Buffer.byteLength(schema) > MAX_SCHEMA_BYTES ||
      schema.includes('\0')
    ) {
      throw new StoreConfigError(`options.schema must be a name of 1 to ${MAX_SCHEMA_BYTES} bytes.`);
    }
    if (prepare !== 'auto' && typeof prepare !== 'boolean') {
      throw new StoreConfigError('options.prepare must be "auto", true or false.');
    }
    const { readConnection } = options;
    this.#readConnection = readConnection === undefined ? undefined : checkConnection(readConnection);
    this.#schema = schema;
    this.#prepare = prepare;
    this.fileStoreDirectory =
      fileStoreBaseDir === undefined ? undefined : givenPath(fileStoreBaseDir, 'fileStoreBaseDir');
  }

  protected async connect(): Promise<Engine> {
    const driver = await connectPostgres(this.#connection, this.#schema, this.#prepare, this[CLOCK]);
    if (!this.#readConnection) return new Engine(driver);
    try {
      return new Engine(
        driver,
        await connectReader(this.#readConnection, this.#schema, this.#prepare, this[CLOCK]),
      );
    } catch (error) {
      await driver.close();
      throw error;
    }
  }

  protected backupPath(path: string | undefined): string {
    return path ?? '';
  }
}

function checkConnection(connection: PostgresConnection | string | Pool): PostgresConnection | Pool {
  if (typeof connection === 'string') return { connectionString: checkUrl(connection) };
  if (typeof connection !== 'object' || connection === null) {
    throw new StoreConfigError(
      'connection must be an object with host, port, database, user and password, a URL, or a pg.Pool.',
    );
  }
  if (isPool(connection)) return connection;
  if (connection.connectionString !== undefined) checkUrl(connection.connectionString);
  return completeConnection(connection, process.env);
}

/** The URL itself stays out of the message: it may hold a password. */
function checkUrl(url: unknown): string {
  if (typeof url !== 'string' || !/^postgres(ql)?:\/\//.test(url)) {
    throw new StoreConfigError('The connection URL must begin with "postgres://" or "postgresql://".');
  }
  return url;
}
