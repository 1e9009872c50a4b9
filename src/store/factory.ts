import { StoreConfigError } from '../errors.ts';
import { checkObject, describe } from '../model/ids.ts';
import { type KnownKeys, knownKeys } from '../model/known-keys.ts';
import { checkLongCall } from './arguments.ts';
import {
  configFromEnvironment,
  type JsonConfig,
  type PostgresConfig,
  postgresSchema,
  type SqliteConfig,
  sqlitePath,
  storePath,
} from './config.ts';
import { configuring, optionsOf } from './settings.ts';
import type { ExtendedStore, LongCallOptions, Store } from './store.ts';

type Config = SqliteConfig | PostgresConfig | JsonConfig;

const KNOWN: Record<Config['type'], KnownKeys> = {
  sqlite: knownKeys<SqliteConfig>('is no setting of a SQLite store', {
    type: true,
    dbPath: true,
    fileStoreBaseDir: true,
    durability: true,
    busyTimeoutMs: true,
    maxQueuedWrites: true,
    fileMode: true,
    holder: true,
    adopt: true,
  }),
  postgres: knownKeys<PostgresConfig>('is no setting of a PostgreSQL store', {
    type: true,
    connection: true,
    fileStoreBaseDir: true,
    schema: true,
    prepare: true,
    readConnection: true,
    callTimeoutMs: true,
    maxQueuedCalls: true,
    holder: true,
  }),
  json: knownKeys<JsonConfig>('is no setting of a JSON store', {
    type: true,
    baseDir: true,
    durability: true,
    readOnly: true,
    fileMode: true,
    holder: true,
  }),
};

/**
 * Opens a store on SQLite or PostgreSQL. Without a configuration the environment decides:
 * `KODE_STORE_TYPE`, `KODE_SQLITE_PATH`, `KODE_STORE_PATH`, `POSTGRES_*` and `KODE_POSTGRES_SCHEMA`. `options.signal`
 * ends the opening, the upgrade of the schema too.
 *
 * @example
 * const store = await createExtendedStore({ type: 'sqlite', dbPath: './data/agents.db' });
 */
export async function createExtendedStore(
  config?: SqliteConfig | PostgresConfig,
  options?: LongCallOptions,
): Promise<ExtendedStore> {
  const signal = configuring('options', () => checkLongCall(options));
  const given = config === undefined ? configFromEnvironment(process.env) : checkConfig(config);
  // Drivers are loaded by whoever needs one: importing the package loads none.
  if (given.type === 'sqlite') {
    const { SqliteStore } = await import('../sqlite/store.ts');
    const { type: _type, dbPath, fileStoreBaseDir, ...settings } = given;
    return openOrClose(
      new SqliteStore(sqlitePath(dbPath, process.env), storePath(fileStoreBaseDir, process.env), settings),
      signal,
    );
  }
  if (given.type === 'postgres') {
    const { PostgresStore } = await import('../postgres/store.ts');
    const { type: _type, connection, fileStoreBaseDir, schema: named, ...settings } = given;
    const directory = storePath(fileStoreBaseDir, process.env);
    const schema = postgresSchema(named, connection, process.env);
    return openOrClose(new PostgresStore(connection ?? {}, directory, { ...settings, schema }), signal);
  }
  throw new StoreConfigError(
    `The store type "${String((given as { type?: unknown }).type)}" has no queries; use "sqlite" or "postgres" (or createStore() for "json").`,
  );
}

/**
 * The same, and `{ type: 'json', baseDir }`: a store on plain files, without queries, which isn't opened before its
 * first call.
 */
export async function createStore(
  config?: SqliteConfig | PostgresConfig | JsonConfig,
  options?: LongCallOptions,
): Promise<Store> {
  if (config === undefined) return createExtendedStore(config, options);
  const given = checkConfig(config);
  if (given.type !== 'json') return createExtendedStore(given, options);
  configuring('options', () => checkLongCall(options));
  const { JSONStore } = await import('../json/store.ts');
  const { type: _type, baseDir, ...settings } = given;
  return new JSONStore(baseDir, settings);
}

/** With known keys alone, and read once. */
function checkConfig<C extends Config>(config: C): C {
  const type = configuring('config', () => {
    checkObject('config', config);
    return config.type as unknown;
  });
  if (type !== 'sqlite' && type !== 'postgres' && type !== 'json') {
    throw new StoreConfigError(
      `config.type is ${typeof type === 'string' ? `"${type}"` : describe(type)}; it must be "sqlite", "postgres" or "json".`,
    );
  }
  return optionsOf(config, KNOWN[type], 'config');
}

/** A store that can't be opened leaves nothing behind. */
async function openOrClose<S extends Store>(store: S, signal: AbortSignal | undefined): Promise<S> {
  try {
    return await store.open({ signal });
  } catch (error) {
    await store.close();
    throw error;
  }
}
