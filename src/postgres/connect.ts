import type { Client, ClientConfig, Pool, PoolConfig } from 'pg';
import { KodeError, SchemaVersionError, StoreConfigError, StoreUnavailableError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { run, type Script } from '../sql/port/driver.ts';
import { composed, statement } from '../sql/port/statement.ts';
import { APPLIED, isCurrent, migrate } from '../sql/schema/migrate.ts';
import type { PostgresConnection } from '../store/config.ts';
import { unlessAborted } from '../store/unless-aborted.ts';
import { requestCancel } from './cancel.ts';
import { postgresDialect, quoteIdentifier } from './dialect.ts';
import { PostgresDriver } from './driver.ts';
import { refuseTablesOf27 } from './foreign.ts';
import { Listener } from './listener.ts';
import { createPool } from './own-pool.ts';
import { Probe } from './probe.ts';
import type { Endpoint } from './translate.ts';
import { Units } from './units.ts';
import { Waits } from './waits.ts';

const OLDEST_VERSION = 15;
/** One lock for all stores that migrate one database at the same time; chance number, never to change. */
const MIGRATION_LOCK = 7_243_119_865;

const SERVER = statement(
  'server',
  `SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding,
     to_regclass($1) AS migrations, {now} AS now`,
);
const LOCK = statement('lock_migrations', `SELECT pg_advisory_xact_lock($1) AS locked`);
const FIND_SCHEMA = statement(
  'find_schema',
  'SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = $1',
);

/** What a store connects with. */
export interface Target {
  readonly connection: PostgresConnection | Pool;
  readonly schema: string;
  readonly prepare: 'auto' | boolean;
  /** For each statement, and for a connection. */
  readonly callTimeoutMs: number;
  /** So many may wait for a connection. */
  readonly maxQueuedCalls: number;
  readonly clock: Clock;
}

/**
 * Connects, and brings the schema up to date. `opened`: hears of the driver before anything is waited for. `signal`:
 * ends it.
 */
export async function connectPostgres(
  target: Target,
  opened: (driver: PostgresDriver) => void,
  signal: AbortSignal,
): Promise<PostgresDriver> {
  const driver = await createDriver(target);
  opened(driver);
  return closedOnFailure(driver, signal, () => prepareSchema(driver, target.schema, signal));
}

/** Connects for reading only: a replica has the schema from its primary. */
export async function connectReader(
  target: Target,
  opened: (driver: PostgresDriver) => void,
  signal: AbortSignal,
): Promise<PostgresDriver> {
  const driver = await createDriver(target);
  opened(driver);
  const look = () => driver.read(SERVER, [driver.dialect.table('migrations')]);
  return closedOnFailure(driver, signal, () => unlessAborted(look(), signal));
}

async function closedOnFailure(
  driver: PostgresDriver,
  signal: AbortSignal,
  prepare: () => Promise<unknown>,
): Promise<PostgresDriver> {
  try {
    signal.throwIfAborted();
    await prepare();
    return driver;
  } catch (error) {
    // What only reads is left in the middle.
    if (signal.aborted) driver.endAll();
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

async function createDriver(target: Target): Promise<PostgresDriver> {
  const { connection, schema, prepare, clock } = target;
  const pg = (await import('pg')).default;
  const own = isPool(connection)
    ? undefined
    : createPool(pg, { connectionTimeoutMillis: target.callTimeoutMs, ...given(connection) });
  const pool = own?.pool ?? (connection as Pool);
  const newClient = () => new pg.Client(clientOptions(pool.options, target.callTimeoutMs));
  const sample = sampleOf(newClient);
  const queryTimeoutMs = queryTimeoutOf(sample);
  const callTimeoutMs = Math.min(target.callTimeoutMs, queryTimeoutMs ?? target.callTimeoutMs);
  // An idle connection that breaks is replaced at the next call; without a listener it would end the process.
  const ignoreIdleError = () => undefined;
  pool.on('error', ignoreIdleError);
  const cancel = (client: Client) => requestCancel(client, newClient());
  const units = new Units({
    ...target,
    callTimeoutMs,
    pool,
    ownsPool: own !== undefined,
    endpoint: endpointOf(sample),
    surroundings: { waits: new Waits(), cancel, hasQueryTimeout: queryTimeoutMs !== undefined },
  });
  return new PostgresDriver({
    dialect: postgresDialect(schema, clock.postgresNow),
    clock,
    units,
    callTimeoutMs,
    probe: new Probe(callTimeoutMs, newClient),
    listener: new Listener(schema, newClient),
    prepare,
    // A pool of ours has ended before its connections have: they may still break.
    onClose: async () => (own ? own.end() : void pool.off('error', ignoreIdleError)),
  });
}

/** What is undefined counts as left out. */
function given(connection: PostgresConnection): PoolConfig {
  return Object.fromEntries(Object.entries(connection).filter(([, value]) => value !== undefined));
}

/** For a connection beside the pool's: one that nobody answers must not be waited for without end. */
function clientOptions(options: ClientConfig, callTimeoutMs: number): ClientConfig {
  const { connectionTimeoutMillis, password } = options;
  // The pool hides the password from whoever enumerates its options.
  return { ...options, connectionTimeoutMillis: connectionTimeoutMillis || callTimeoutMs, password };
}

/** A client as the options, the environment and the URL make it. */
function sampleOf(create: () => Client): Client {
  try {
    return create();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_INVALID_URL') {
      // Without the cause: it repeats the URL, which may hold a password.
      throw new StoreConfigError(
        'The connection URL can\'t be read. Check its host and port, and write characters such as "/", "@", "#" and "%" in user and password percent-encoded.',
      );
    }
    const { message = String(error) } = error as { message?: string };
    throw new StoreConfigError(`The connection's settings can't be used: ${message}`, { cause: error });
  }
}

function endpointOf(client: Client): Endpoint {
  return {
    host: client.host,
    port: client.port,
    database: client.database ?? '',
    user: client.user ?? '',
  };
}

/** `pg` gives a query up after this time without asking the server to stop, so the store does it first. */
function queryTimeoutOf(client: Client): number | undefined {
  const { connectionParameters } = client as { connectionParameters?: { query_timeout?: unknown } };
  return Number(connectionParameters?.query_timeout) || undefined;
}

async function prepareSchema(driver: PostgresDriver, schema: string, signal: AbortSignal): Promise<void> {
  if (await unlessAborted(isPrepared(driver, schema), signal)) return;
  try {
    // Others may be at it, or there is much to change: it takes as long as it takes.
    await driver.bounded({ until: signal }).transact(() => migrateUnderLock(driver, schema));
  } catch (error) {
    if (error instanceof KodeError || signal.aborted) throw error;
    throw new SchemaVersionError(`The schema "${schema}" could not be prepared. See the cause.`, {
      cause: error,
    });
  }
}

/** Whether nothing is to be done. Refuses what can't be prepared. */
async function isPrepared(driver: PostgresDriver, schema: string): Promise<boolean> {
  const [server] = await driver.read(SERVER, [driver.dialect.table('migrations')]);
  driver.time.hear(Number(server?.now));
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
  if (server.migrations !== null) return isCurrent(await driver.read(APPLIED, []), driver.dialect);
  await refuseTablesOf27(driver, schema);
  return false;
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
