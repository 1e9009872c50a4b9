import { join } from 'node:path';
import { afterEach } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { Engine } from '../../src/sql/engine.ts';
import type { Driver } from '../../src/sql/port/driver.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { watched } from './recorder.ts';

/** What is seen of a store. */
export interface Watched {
  driver: Driver | undefined;
  /** Those of transactions that lock, read and then write. */
  statements: number;
}

function watch(store: Watched, engine: Engine): Engine {
  const { driver } = engine.context;
  const transact = driver.transact.bind(driver);
  driver.transact = (script) =>
    transact(() =>
      watched(script(), () => {
        store.statements += 1;
      }),
    );
  store.driver = driver;
  return engine;
}

class WatchedSqliteStore extends SqliteStore implements Watched {
  driver: Driver | undefined;
  statements = 0;
  protected override async connect(signal: AbortSignal): Promise<Engine> {
    return watch(this, await super.connect(signal));
  }
}

class WatchedPostgresStore extends PostgresStore implements Watched {
  driver: Driver | undefined;
  statements = 0;
  protected override async connect(signal: AbortSignal): Promise<Engine> {
    return watch(this, await super.connect(signal));
  }
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export async function onSqlite(): Promise<ExtendedStore & Watched> {
  const directory = await makeTemporaryDirectory();
  const store = new WatchedSqliteStore(join(directory, 'agents.db'), undefined, { durability: 'normal' });
  closing.push(
    () => removeDirectory(directory),
    () => store.close(),
  );
  return store;
}

export function onPostgres(): () => Promise<ExtendedStore & Watched> {
  const database = postgresDatabase('postgres18');
  return async () => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new WatchedPostgresStore(url, undefined, { schema });
    closing.push(
      () => dropSchema(schema),
      () => store.close(),
    );
    return store;
  };
}
