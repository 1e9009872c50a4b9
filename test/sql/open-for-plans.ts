import { join } from 'node:path';
import { type Clock, withClock } from '../../src/model/clock.ts';
import type { Engine } from '../../src/sql/engine.ts';
import type { Dialect } from '../../src/sql/port/dialect.ts';
import { statement } from '../../src/sql/port/statement.ts';
import { type PostgresName, postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { type Capture, captureSqlite, capturingPool } from './capture.ts';
import { fillAllTables } from './drive/fill-all-tables.ts';
import { drive } from './drive/index.ts';
import { complainAboutPostgres, complainAboutSqlite } from './explain.ts';
import { fill, type Size } from './fill.ts';
import type { Recorded } from './recorder.ts';
import { OpenPostgresStore, OpenSqliteStore } from './stores.ts';

/** A database after the drive. */
export interface Driven {
  readonly dialect: Dialect;
  readonly capture: Capture;
  /** What is wrong with a statement's plan, sorts included. */
  complain(query: Recorded): Promise<string[]>;
  close(): Promise<void>;
}

/** Large enough for a wrong plan to show; a check of everything goes through all of it. */
const SIZE: Size = { busy: 600, quiet: 10_000, long: 3_000 };

export async function driveSqlite(): Promise<Driven> {
  const directory = await makeTemporaryDirectory();
  const capture = captureSqlite();
  const open = (clock?: Clock) =>
    new OpenSqliteStore(
      join(directory, 'agents.db'),
      directory,
      withClock(clock, { durability: 'normal' as const }),
    );
  const engine = await open().engine();
  const { driver } = engine.context;
  await fillAndDrive(open, engine, async () => undefined);
  capture.end();
  return {
    dialect: driver.dialect,
    capture,
    complain: (query) => complainAboutSqlite(driver, query, false),
    async close() {
      await engine.close();
      await removeDirectory(directory);
    },
  };
}

export function drivePostgres(server: PostgresName): () => Promise<Driven> {
  const database = postgresDatabase(server);
  return async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = `${await createSchema()}_driven`;
    const { pool, capture } = capturingPool(url, 8);
    const open = (clock?: Clock) => new OpenPostgresStore(pool, undefined, withClock(clock, { schema }));
    const engine = await open().engine();
    await fillAndDrive(open, engine, async () => {
      await client.query('VACUUM ANALYZE');
    });
    capture.end();
    return {
      dialect: engine.context.driver.dialect,
      capture,
      complain: (query) => complainAboutPostgres(client, query, false, null),
      async close() {
        await engine.close();
        await pool.end();
        await dropSchema(schema);
      },
    };
  };
}

type OpenStore = OpenSqliteStore | OpenPostgresStore;

/** `analyse`: has the database look at what it has. */
async function fillAndDrive(
  open: (clock?: Clock) => OpenStore,
  engine: Engine,
  analyse: () => Promise<void>,
): Promise<void> {
  const stores = [open(), open()] as const;
  const [store, other] = stores;
  try {
    await fill(store, engine, SIZE);
    await fillAllTables(store);
    await analyse();
    const tamper = async (text: string, params: readonly (string | number)[]) => {
      await engine.context.driver.write(statement('tamper', text), params);
    };
    await drive({ store, other, fresh: open, tamper });
  } finally {
    for (const one of stores) await one.close();
  }
}
