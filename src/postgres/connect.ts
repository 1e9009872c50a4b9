import type { Client, ClientConfig, Pool, PoolConfig } from 'pg';
import { SchemaVersionError, StoreConfigError, StoreUnavailableError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { run, type Script } from '../sql/driver.ts';
import { APPLIED, isCurrent, migrate } from '../sql/migrations.ts';
import { composed, statement } from '../sql/statement.ts';
import type { PostgresConnection } from '../store/config.ts';
import { postgresDialect, quoteIdentifier } from './dialect.ts';
import { PostgresDriver } from './driver.ts';
import type { Endpoint } from './errors.ts';
import { Listener } from './listener.ts';

const OLDEST_VERSION = 15;
export const CONNECTION_TIMEOUT_MS = 10_000;
/** One lock for all stores that migrate one database at the same time; chance number, never to change. */
const MIGRATION_LOCK = 7_243_119_865;

const SERVER = statement(
  'server',
  `SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding,
     to_regclass($1) AS migrations`,
);
const LOCK = statement('lock_migrations', `SELECT pg_advisory_xact_lock($1) AS locked`);
const FIND_SCHEMA = statement(
  'find_schema',
  'SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = $1',
);

/** Connects, and brings the schema up to date. */
export async function connectPostgres(
  connection: PostgresConnection | Pool,
  schema: string,
  prepare: 'auto' | boolean,
  clock: Clock,
): Promise<PostgresDriver> {
  const driver = await createDriver(connection, schema, prepare, clock);
  return closedOnFailure(driver, () => prepareSchema(driver, schema));
}

/** Connects for reading only: a replica has the schema from its primary. */
export async function connectReader(
  connection: PostgresConnection | Pool,
  schema: string,
  prepare: 'auto' | boolean,
  clock: Clock,
): Promise<PostgresDriver> {
  const driver = await createDriver(connection, schema, prepare, clock);
  return closedOnFailure(driver, () => driver.read(SERVER, [driver.dialect.table('migrations')]));
}

async function closedOnFailure(
  driver: PostgresDriver,
  prepare: () => Promise<unknown>,
): Promise<PostgresDriver> {
  try {
    await prepare();
    return driver;
  } catch (error) {
    await driver.close();
    throw error;
  }
}

/** A pool of the caller's, which we use and never close. */
export function isPool(connection: PostgresConnection | Pool): connection is Pool {
  return (
    typeof (connection as Partial<Pool>).connect === 'function' &&
    typeof (connection as Partial<Pool>).query === 'function'
  );
}

async function createDriver(
  connection: PostgresConnection | Pool,
  schema: string,
  prepare: 'auto' | boolean,
  clock: Clock,
): Promise<PostgresDriver> {
  const pg = (await import('pg')).default;
  const given = isPool(connection) ? connection : undefined;
  const pool =
    given ??
    new pg.Pool({
      connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
      keepAlive: true,
      ...(connection as PoolConfig),
    });
  const options = clientOptions(pool.options);
  const endpoint = endpointOf(() => new pg.Client(options));
  // An idle connection that breaks is replaced at the next call; without a listener it would end the process.
  const ignoreIdleError = () => undefined;
  pool.on('error', ignoreIdleError);
  return new PostgresDriver({
    dialect: postgresDialect(schema, clock.postgresNow),
    clock,
    pool,
    ownsPool: given === undefined,
    endpoint,
    listener: new Listener(schema, () => new pg.Client(options)),
    prepare,
    // A pool of ours has ended before its connections have: they may still break.
    onClose: () => given?.off('error', ignoreIdleError),
  });
}

/** For a connection beside the pool's: one that nobody answers must not be waited for without end. */
function clientOptions(options: ClientConfig): ClientConfig {
  const { connectionTimeoutMillis = CONNECTION_TIMEOUT_MS, password } = options;
  // The pool hides the password from whoever enumerates its options.
  return { ...options, connectionTimeoutMillis, password };
}

/** What a client makes of its options, environment and URL included. */
function endpointOf(create: () => Client): Endpoint {
  let client: Client;
  try {
    client = create();
  } catch (error) {
    if (error instanceof TypeError && 'input' in error) {
      // Without the cause: it repeats the URL, which may hold a password.
      throw new StoreConfigError(
        'The connection URL can\'t be read. Check its host and port, and write characters such as "/", "@", "#" and "%" in user and password percent-encoded.',
      );
    }
    const message = error instanceof Error ? error.message : String(error);
    throw new StoreConfigError(`The connection's settings can't be used: ${message}`, { cause: error });
  }
  return {
    host: client.host,
    port: client.port,
    database: client.database ?? '',
    user: client.user ?? '',
  };
}

async function prepareSchema(driver: PostgresDriver, schema: string): Promise<void> {
  const [server] = await driver.read(SERVER, [driver.dialect.table('migrations')]);
  const major = Math.floor(Number(server?.version) / 10_000);
  if (major < OLDEST_VERSION) {
    throw new StoreUnavailableError(
      `The server is PostgreSQL ${major}, and this store needs ${OLDEST_VERSION} or later. Update the server.`,
    );
  }
  if (server?.encoding !== 'UTF8') {
    throw new StoreConfigError(
      `The database's encoding is ${server?.encoding}, and messages need UTF8. Create the database with ENCODING 'UTF8'.`,
    );
  }
  if (server.migrations !== null && isCurrent(await driver.read(APPLIED, []), driver.dialect)) return;
  try {
    await driver.transact(() => migrateUnderLock(driver, schema));
  } catch (error) {
    if (error instanceof SchemaVersionError || error instanceof StoreUnavailableError) throw error;
    throw new SchemaVersionError(`The schema "${schema}" could not be prepared. See the cause.`, {
      cause: error,
    });
  }
}

/** The lock is the transaction's, so that it also holds behind a transaction pooler. */
function* migrateUnderLock(driver: PostgresDriver, schema: string): Script<void> {
  yield* run(LOCK, [MIGRATION_LOCK]);
  const found = yield* run(FIND_SCHEMA, [schema]);
  if (found.length === 0) {
    yield* run(composed('create_schema', `CREATE SCHEMA ${quoteIdentifier(schema)}`), []);
  }
  yield* migrate(driver.dialect, driver.clock.now());
}
