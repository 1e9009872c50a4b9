import { StoreConfigError } from '../errors.ts';
import { messageOf } from '../model/foreign.ts';
import { describe } from '../model/ids.ts';
import { databasePath, givenPath } from './paths.ts';
import { resolveSchema } from './postgres-schema.ts';

/** Options of `pg`'s pool: https://node-postgres.com/apis/pool. A URL goes into `connectionString`. */
export interface PostgresConnection {
  /** Default: `POSTGRES_HOST`, else `localhost`. */
  host?: string | undefined;
  /** Default: `POSTGRES_PORT`, else 5432. */
  port?: number | undefined;
  /** Default: `POSTGRES_DB`, else `kode_agents`. */
  database?: string | undefined;
  /** Default: `POSTGRES_USER`, else `kode`. */
  user?: string | undefined;
  /** Default: `POSTGRES_PASSWORD`. A function is asked for each connection: for tokens that expire. */
  password?: string | (() => string | Promise<string>) | undefined;
  /** A URL, in place of all of these; the environment adds nothing to it. */
  connectionString?: string | undefined;
  /** `true`, or options of Node's TLS. */
  ssl?: unknown;
  /** Most connections at a time. Default 10. */
  max?: number | undefined;
  /** After how long a connection that nobody uses is closed. Default: 10,000. */
  idleTimeoutMillis?: number | undefined;
  /** How long to wait for a connection, of the server or of the pool. Default: the store's `callTimeoutMs`. */
  connectionTimeoutMillis?: number | undefined;
  [option: string]: unknown;
}

/** Options of a store in a SQLite file. */
export interface SqliteOptions {
  /**
   * `full` (default): an acknowledged commit survives a power cut. `normal`: it survives a crash of the
   * process, and the last commits may be lost with the power.
   */
  durability?: 'full' | 'normal' | undefined;
  /** How long to wait for other processes that write to the file, in milliseconds. Default 5,000. */
  busyTimeoutMs?: number | undefined;
  /** Writes that may wait at a time; one more is a `StoreBusyError`. Default 100,000. */
  maxQueuedWrites?: number | undefined;
  /**
   * The mode of files that the store creates: the database and what lies beside it, backups. Folders get the
   * same with leave to look into them. Default 0o600; 0o660 for several users of one group.
   */
  fileMode?: number | undefined;
  /** Under which name leases are held, for others to see, unless a call says another. */
  holder?: string | undefined;
  /**
   * Lets the store make its tables beside those of another program. Default false: a file with tables that aren't
   * the store's is refused.
   */
  adopt?: boolean | undefined;
}

/** A store in a SQLite file, for `createStore` and `createExtendedStore`. */
export interface SqliteConfig extends SqliteOptions {
  type: 'sqlite';
  /** The file; `:memory:` for none. Default: `KODE_SQLITE_PATH`, else `./data/agents.db`. */
  dbPath?: string | undefined;
  /** The store's folder, for backups. Default: `KODE_STORE_PATH`, else `./data/store`. */
  fileStoreBaseDir?: string | undefined;
}

/** What `PostgresStore` and `{ type: 'postgres' }` have in common. */
export interface PostgresSettings {
  /**
   * The schema that holds the tables; created if it is missing. Default: the URL's `?schema=`, else
   * `KODE_POSTGRES_SCHEMA` (read by `createStore` and `createExtendedStore`), else `public`.
   */
  schema?: string | undefined;
  /**
   * `auto` (default): prepared statements by name until a pooler loses one, then unnamed for good.
   * `true` and `false` fix it.
   */
  prepare?: 'auto' | boolean | undefined;
  /**
   * How long the server may take to answer a statement, to accept a connection, or to serve anybody while calls
   * wait for one, in milliseconds. Default 10,000. A statement that takes longer is cancelled; the error's
   * `outcome` says whether it may be stored. What may rightly take long has a `signal` instead.
   */
  callTimeoutMs?: number | undefined;
  /** Calls that may wait for a connection at a time; one more is a `StoreBusyError`. Default 100,000. */
  maxQueuedCalls?: number | undefined;
  /** Under which name leases are held, for others to see, unless a call says another. */
  holder?: string | undefined;
}

/** A store on a PostgreSQL server, for `createStore` and `createExtendedStore`. */
export interface PostgresConfig extends PostgresSettings {
  type: 'postgres';
  /** Options of the pool, or a URL. Default: the variables `POSTGRES_*`. */
  connection?: PostgresConnection | string | undefined;
  /** The store's folder. Default: `KODE_STORE_PATH`, else `./data/store`. */
  fileStoreBaseDir?: string | undefined;
  /** Where queries, iterators and statistics read: a replica of the same database, for example. */
  readConnection?: PostgresConnection | string | undefined;
}

/** Of `JSONStore`, and of `{ type: 'json' }`. */
export interface JSONStoreOptions {
  /**
   * `full` (the default): a commit that was acknowledged survives a power cut. `normal`: it survives the
   * end of the process; a power cut may take the last ones.
   */
  durability?: 'full' | 'normal' | undefined;
  /**
   * Nothing is written, not even a lock: for archives, read-only folders and full disks. Another process may have
   * the folder open meanwhile, and reads see what it has written. Everything else is a `StoreReadOnlyError`.
   */
  readOnly?: boolean | undefined;
  /**
   * The mode of files that the store creates. Folders get the same with leave to look into them. Default 0o600;
   * 0o660 for several users of one group.
   */
  fileMode?: number | undefined;
  /** Under which name leases are held, for others to see, unless a call says another. */
  holder?: string | undefined;
}

/** A store in a folder of JSON files, for `createStore`. */
export interface JsonConfig extends JSONStoreOptions {
  type: 'json';
  /** The folder; made if it is missing. */
  baseDir: string;
}

const DEFAULT_SQLITE_PATH = './data/agents.db';
const DEFAULT_STORE_PATH = './data/store';

export type Environment = Record<string, string | undefined>;

/** A variable's value; trimmed, because `set NAME=value ` of Windows' CMD keeps the blanks. */
function read(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

/** The configuration that the environment variables describe. */
export function configFromEnvironment(env: Environment): SqliteConfig | PostgresConfig {
  const type = read(env, 'KODE_STORE_TYPE') ?? 'sqlite';
  if (type === 'sqlite') return { type };
  if (type === 'postgres') return { type };
  throw new StoreConfigError(
    `KODE_STORE_TYPE is "${type}"; it must be "sqlite" or "postgres". Without it, SQLite is used.`,
  );
}

/** Where the SQLite database is: `:memory:` or an absolute path. */
export function sqlitePath(given: string | undefined, env: Environment): string {
  if (given !== undefined) return databasePath(given, 'config.dbPath');
  const variable = read(env, 'KODE_SQLITE_PATH');
  return databasePath(variable ?? DEFAULT_SQLITE_PATH, 'KODE_SQLITE_PATH');
}

/** Where files that belong to the store go: an absolute path. */
export function storePath(given: string | undefined, env: Environment): string {
  if (given !== undefined) return givenPath(given, 'config.fileStoreBaseDir');
  return givenPath(read(env, 'KODE_STORE_PATH') ?? DEFAULT_STORE_PATH, 'KODE_STORE_PATH');
}

/** The schema that is given, that the connection names, or that the environment does. */
export function postgresSchema(
  given: string | undefined,
  connection: PostgresConnection | string | undefined,
  env: Environment,
): string | undefined {
  const source = typeof connection === 'string' ? { connectionString: connection } : (connection ?? {});
  return given ?? resolveSchema(undefined, source, env.PGOPTIONS) ?? read(env, 'KODE_POSTGRES_SCHEMA');
}

/**
 * Fills what a connection object leaves out from `POSTGRES_*`, then from the defaults. A URL says
 * everything itself, so nothing is added to it.
 */
export function completeConnection(given: PostgresConnection, env: Environment): PostgresConnection {
  if (given.connectionString !== undefined) return given;
  const connection: PostgresConnection = {
    ...given,
    host: given.host ?? read(env, 'POSTGRES_HOST') ?? 'localhost',
    port: given.port ?? portFrom(env) ?? 5432,
    database: given.database ?? read(env, 'POSTGRES_DB') ?? 'kode_agents',
    user: given.user ?? read(env, 'POSTGRES_USER') ?? 'kode',
  };
  const password = given.password ?? read(env, 'POSTGRES_PASSWORD');
  if (password !== undefined) connection.password = password;
  checkConnection(connection);
  if (typeof password === 'function') connection.password = () => askPassword(password);
  return connection;
}

/** What isn't a string would be an error of the driver's, at a place of its own. */
async function askPassword(ask: () => string | Promise<string>): Promise<string> {
  let password: unknown;
  try {
    password = await ask();
  } catch (cause) {
    throw new StoreConfigError(`connection.password is a function that failed: ${messageOf(cause)}.`, {
      cause,
    });
  }
  if (typeof password === 'string') return password;
  throw new StoreConfigError(
    `connection.password is a function that must give a string, and gave ${describe(password)}.`,
  );
}

function portFrom(env: Environment): number | undefined {
  const text = read(env, 'POSTGRES_PORT');
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text))
    throw new StoreConfigError(`POSTGRES_PORT is "${text}"; it must be a port number.`);
  return checkPort('POSTGRES_PORT', Number(text));
}

function checkPort(name: string, port: unknown): number {
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    const given = typeof port === 'string' ? `the string ${JSON.stringify(port)}` : String(port);
    throw new StoreConfigError(`${name} is ${given}; it must be a number from 1 to 65535.`);
  }
  return port;
}

function checkConnection(connection: PostgresConnection): void {
  checkPort('connection.port', connection.port);
  for (const name of ['host', 'database', 'user'] as const) {
    const value: unknown = connection[name];
    if (typeof value !== 'string' || value === '') {
      throw new StoreConfigError(`connection.${name} must be a non-empty string.`);
    }
  }
  const { password } = connection;
  if (password !== undefined && typeof password !== 'string' && typeof password !== 'function') {
    throw new StoreConfigError('connection.password must be a string or a function that returns one.');
  }
  for (const name of ['max', 'idleTimeoutMillis', 'connectionTimeoutMillis'] as const) {
    const value: unknown = connection[name];
    const least = name === 'max' ? 1 : 0;
    if (value === undefined) continue;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least) {
      throw new StoreConfigError(`connection.${name} must be a whole number, ${least} or more.`);
    }
  }
}
