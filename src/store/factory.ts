import { StoreConfigError } from '../errors.ts';
import {
  configFromEnvironment,
  type JsonConfig,
  type PostgresConfig,
  postgresSchema,
  type SqliteConfig,
  sqlitePath,
  storePath,
} from './config.ts';
import type { ExtendedStore, Store } from './store.ts';

const KNOWN_KEYS: Record<string, readonly string[]> = {
  sqlite: [
    'type',
    'dbPath',
    'fileStoreBaseDir',
    'durability',
    'busyTimeoutMs',
    'maxQueuedWrites',
    'fileMode',
    'holder',
    'adopt',
  ],
  postgres: ['type', 'connection', 'fileStoreBaseDir', 'schema', 'holder'],
  json: ['type', 'baseDir', 'durability', 'readOnly', 'fileMode', 'holder'],
};

/**
 * Opens a store on SQLite or PostgreSQL. Without a configuration the environment decides:
 * `KODE_STORE_TYPE`, `KODE_SQLITE_PATH`, `KODE_STORE_PATH`, `POSTGRES_*` and `KODE_POSTGRES_SCHEMA`.
 *
 * @example
 * const store = await createExtendedStore({ type: 'sqlite', dbPath: './data/agents.db' });
 */
export async function createExtendedStore(config?: SqliteConfig | PostgresConfig): Promise<ExtendedStore> {
  const given = config ?? configFromEnvironment(process.env);
  checkKeys(given);
  // Drivers are loaded by whoever needs one: importing the package loads none.
  if (given.type === 'sqlite') {
    const { SqliteStore } = await import('../sqlite/store.ts');
    const { type: _type, dbPath, fileStoreBaseDir, ...options } = given;
    return openOrClose(
      new SqliteStore(sqlitePath(dbPath, process.env), storePath(fileStoreBaseDir, process.env), options),
    );
  }
  if (given.type === 'postgres') {
    const { PostgresStore } = await import('../postgres/store.ts');
    const directory = storePath(given.fileStoreBaseDir, process.env);
    const schema = postgresSchema(given.schema, given.connection, process.env);
    return openOrClose(
      new PostgresStore(given.connection ?? {}, directory, { schema, holder: given.holder }),
    );
  }
  throw new StoreConfigError(
    `The store type "${String((given as { type?: unknown }).type)}" has no queries; use "sqlite" or "postgres" (or createStore() for "json").`,
  );
}

/** The same, and `{ type: 'json', baseDir }`: a store on plain files, without queries. */
export async function createStore(config?: SqliteConfig | PostgresConfig | JsonConfig): Promise<Store> {
  if (config?.type !== 'json') return createExtendedStore(config);
  checkKeys(config);
  const { JSONStore } = await import('../json/store.ts');
  const { type: _type, baseDir, ...options } = config;
  return new JSONStore(baseDir, options);
}

function checkKeys(config: { type: string }): void {
  const known = KNOWN_KEYS[config.type];
  if (!known) {
    throw new StoreConfigError(
      `config.type is "${String(config.type)}"; it must be "sqlite", "postgres" or "json".`,
    );
  }
  for (const key of Object.keys(config)) {
    if (!known.includes(key)) {
      throw new StoreConfigError(
        `config.${key} is no setting of a ${config.type} store; those are ${known.join(', ')}.`,
      );
    }
  }
}

/** A store that can't be opened leaves nothing behind. */
async function openOrClose<S extends { open(): Promise<S>; close(): Promise<void> }>(store: S): Promise<S> {
  try {
    return await store.open();
  } catch (error) {
    await store.close();
    throw error;
  }
}
