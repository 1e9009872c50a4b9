import { join } from 'node:path';
import { describe, it } from 'vitest';
import { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { Backend, Runner } from '../../src/testing/harness.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { WITHOUT_SQLITE } from './environment.ts';
import { postgresClock } from './postgres-clock.ts';
import type { PostgresName } from './postgres-database.ts';
import { postgresDatabase } from './postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from './temporary.ts';

/** Many stores are open at once on one server. */
const POOL_SIZE = 4;

export const runner: Runner = {
  describe: (name, body) => {
    describe(name, body);
  },
  it: (name, body, timeoutMs) => {
    it(name, body, timeoutMs);
  },
};

/** Every kind that runs here. Call it at the top level of a test file. */
export function allBackends(): Backend[] {
  const sqlite = process.env[WITHOUT_SQLITE] === undefined ? [sqliteBackend()] : [];
  return [jsonBackend(), ...sqlite, postgresBackend('postgres18')];
}

/** The quickest with queries that runs here. Call it at the top level of a test file. */
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
      const directory = await makeTemporaryDirectory();
      return {
        open: async (clock) =>
          new SqliteStore(join(directory, 'agents.db'), join(directory, 'files'), withClock(clock)),
        clock: async () => new MovableClock(),
        destroy: () => removeDirectory(directory),
      };
    },
  };
}

/** Call it at the top level of a test file: it drops the file's database after the tests. */
export function postgresBackend(server: PostgresName): Backend {
  const database = postgresDatabase(server);
  return {
    name: server,
    capabilities: { extended: true, sharedAccess: true, backup: false, movableClock: true },
    async create() {
      const { url, client, createSchema, dropSchema } = await database();
      const schema = await createSchema();
      const directory = await makeTemporaryDirectory();
      return {
        open: async (clock) =>
          new PostgresStore(
            { connectionString: url, max: POOL_SIZE },
            directory,
            withClock(clock, { schema }),
          ),
        clock: () => postgresClock(client, schema),
        async destroy() {
          await dropSchema(schema);
          await removeDirectory(directory);
        },
      };
    },
  };
}
