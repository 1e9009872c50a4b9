import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { Backend, Runner } from '../../src/testing/harness.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { WITHOUT_SQLITE } from './environment.ts';
import type { KeptPool } from './kept-pools.ts';
import { postgresClock } from './postgres-clock.ts';
import { POOL_SIZE, type PostgresName, postgresDatabase } from './postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from './temporary.ts';

export const runner: Runner = {
  describe: (name, body) => {
    describe(name, body);
  },
  it: (name, body, timeoutMs) => {
    it(name, body, timeoutMs);
  },
};

/** Every kind that runs here. */
export function allBackends(): Backend[] {
  const sqlite = process.env[WITHOUT_SQLITE] === undefined ? [sqliteBackend()] : [];
  return [jsonBackend(), ...sqlite, postgresBackend('postgres18')];
}

/** The quickest with queries that runs here. */
export function anySqlBackend(): Backend {
  if (process.env[WITHOUT_SQLITE] !== undefined) return postgresBackend('postgres18');
  return {
    ...sqliteBackend(),
    create: async () => ({
      open: async () => new SqliteStore(':memory:'),
      destroy: async () => undefined,
    }),
  };
}

export function jsonBackend(): Backend {
  return {
    name: 'json',
    capabilities: { extended: false, sharedAccess: false, backup: false, movableClock: true },
    async create() {
      const directory = await makeTemporaryDirectory();
      return {
        open: async (clock) => new JSONStore(join(directory, 'store'), withClock(clock)),
        clock: async () => new MovableClock(),
        destroy: () => removeDirectory(directory),
      };
    },
  };
}

export function sqliteBackend(): Backend {
  return {
    name: 'sqlite',
    capabilities: { extended: true, sharedAccess: true, backup: true, movableClock: true },
    async create() {
      emptyDatabase ??= makeEmptyDatabase();
      const directory = await makeTemporaryDirectory();
      await writeFile(join(directory, 'agents.db'), await emptyDatabase);
      return {
        open: async (clock) =>
          new SqliteStore(join(directory, 'agents.db'), join(directory, 'files'), withClock(clock)),
        clock: async () => new MovableClock(),
        destroy: () => removeDirectory(directory),
      };
    },
  };
}

let emptyDatabase: Promise<Buffer> | undefined;

/** A file as a store leaves it that has just been opened for the first time: to copy it is quicker. */
async function makeEmptyDatabase(): Promise<Buffer> {
  const directory = await makeTemporaryDirectory();
  const path = join(directory, 'agents.db');
  const store = new SqliteStore(path);
  await store.exists('nobody');
  await store.close();
  const file = await readFile(path);
  await removeDirectory(directory);
  return file;
}

/** `ownPools`: each store connects anew, with a pool of its own. */
export function postgresBackend(server: PostgresName, { ownPools = false } = {}): Backend {
  const database = postgresDatabase(server);
  return {
    name: server,
    capabilities: { extended: true, sharedAccess: true, backup: false, movableClock: true },
    async create() {
      const { url, client, readySchema, keptPool } = await database();
      const { schema, giveBack } = await readySchema();
      const directory = await makeTemporaryDirectory();
      const taken: KeptPool[] = [];
      const connection = () => {
        if (ownPools) return { connectionString: url, max: POOL_SIZE };
        const kept = keptPool();
        taken.push(kept);
        return kept.pool;
      };
      return {
        open: async (clock) => new PostgresStore(connection(), directory, withClock(clock, { schema })),
        clock: () => postgresClock(client, schema),
        async destroy() {
          for (const kept of taken) kept.giveBack();
          await giveBack();
          await removeDirectory(directory);
        },
      };
    },
  };
}
