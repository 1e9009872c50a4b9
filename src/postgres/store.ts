import { resolve } from 'node:path';
import type { Pool } from 'pg';
import { StoreConfigError } from '../errors.ts';
import { Engine } from '../sql/engine.ts';
import { SqlStore } from '../sql/store.ts';
import { completeConnection, type PostgresConnection } from '../store/config.ts';
import { connectPostgres } from './connect.ts';

export interface PostgresOptions {
  /** The schema that holds the tables; created if it is missing. Default `public`. */
  schema?: string | undefined;
  /**
   * `auto` (default): prepared statements by name until a pooler loses one, then unnamed for good.
   * `true` and `false` fix it.
   */
  prepare?: 'auto' | boolean | undefined;
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

  /** `connection`: options of `pg`'s pool, a URL, or a pool of yours, which the store never closes. */
  constructor(
    connection: PostgresConnection | string | Pool,
    fileStoreBaseDir?: string,
    options: PostgresOptions = {},
  ) {
    super();
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
    this.#schema = schema;
    this.#prepare = prepare;
    this.fileStoreDirectory = fileStoreBaseDir === undefined ? undefined : resolve(fileStoreBaseDir);
  }

  protected async connect(): Promise<Engine> {
    return new Engine(await connectPostgres(this.#connection, this.#schema, this.#prepare));
  }

  protected async writeBackup(write: (path: string) => Promise<void>, path?: string): Promise<string> {
    await write(path ?? '');
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

function isPool(connection: PostgresConnection | Pool): connection is Pool {
  return (
    typeof (connection as Partial<Pool>).connect === 'function' &&
    typeof (connection as Partial<Pool>).query === 'function'
  );
}
