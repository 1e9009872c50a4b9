import type { Pool } from 'pg';
import { StoreConfigError } from '../errors.ts';
import { CLOCK, clockOf } from '../model/clock.ts';
import { Engine } from '../sql/engine.ts';
import { SqlStore } from '../sql/store.ts';
import { completeConnection, type PostgresConnection } from '../store/config.ts';
import { checkHolderOption } from '../store/holder-option.ts';
import { givenPath } from '../store/paths.ts';
import { checkSchema, resolveSchema } from '../store/postgres-schema.ts';
import { configuring } from '../store/settings.ts';
import { connectPostgres, connectReader, isPool, type Target } from './connect.ts';
import type { PostgresDriver } from './driver.ts';
import { checkOptions, type PostgresOptions, settingsOf } from './options.ts';

/** How long `close()` takes at most. */
export const CLOSE_MS = 10_000;
/** The rest is for giving leases back and for ending the connections. */
const CLOSING_MS = CLOSE_MS - 4_000;

/**
 * A store on a PostgreSQL server (15 or later), shared by any number of processes, directly or behind a
 * pooler in transaction mode.
 *
 * @example
 * const store = new PostgresStore({ host: 'localhost', database: 'kode_agents', user: 'kode', password });
 */
export class PostgresStore extends SqlStore {
  protected readonly fileStoreDirectory: string | undefined;
  protected override readonly closingLimit = { ms: CLOSING_MS, endAll: () => this.#endAll() };
  readonly #target: Target;
  readonly #holder: string | undefined;
  readonly #readConnection: PostgresConnection | Pool | undefined;
  /** Those that are connected, or about to be. */
  #drivers: PostgresDriver[] = [];

  /** `connection`: options of `pg`'s pool, a URL, or a pool of yours, which the store never closes. */
  constructor(
    connection: PostgresConnection | string | Pool,
    fileStoreBaseDir?: string,
    given: PostgresOptions = {},
  ) {
    super(configuring('options', () => clockOf(given)));
    const options = checkOptions(given);
    const settings = settingsOf(options);
    const checked = checkConnection(connection);
    const named = options.schema === undefined ? undefined : checkSchema('options.schema', options.schema);
    const schema = schemaOn(named, checked) ?? 'public';
    this.#target = { ...settings, connection: checked, schema, clock: this[CLOCK] };
    const { readConnection } = options;
    if (readConnection !== undefined) {
      this.#readConnection = checkConnection(readConnection);
      schemaOn(schema, this.#readConnection);
    }
    this.#holder = checkHolderOption(options.holder);
    this.fileStoreDirectory =
      fileStoreBaseDir === undefined ? undefined : givenPath(fileStoreBaseDir, 'fileStoreBaseDir');
  }

  protected async connect(signal: AbortSignal): Promise<Engine> {
    this.#drivers = [];
    const opened = (driver: PostgresDriver) => void this.#drivers.push(driver);
    const driver = await connectPostgres(this.#target, opened, signal);
    if (!this.#readConnection) return new Engine(driver, { holder: this.#holder });
    try {
      const target = { ...this.#target, connection: this.#readConnection };
      const reader = await connectReader(target, opened, signal);
      return new Engine(driver, { reader, holder: this.#holder });
    } catch (error) {
      await driver.close();
      throw error;
    }
  }

  protected backupPath(path: string | undefined): string {
    return path ?? '';
  }

  #endAll(): void {
    for (const driver of this.#drivers) driver.endAll();
  }
}

function schemaOn(given: string | undefined, connection: PostgresConnection | Pool): string | undefined {
  return resolveSchema(given, isPool(connection) ? connection.options : connection, process.env.PGOPTIONS);
}

function checkConnection(connection: PostgresConnection | string | Pool): PostgresConnection | Pool {
  return configuring('connection', () => readConnection(connection));
}

function readConnection(connection: PostgresConnection | string | Pool): PostgresConnection | Pool {
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
