import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { commitsSpec } from '../../src/testing/commits.spec.ts';
import { decisionsSpec } from '../../src/testing/decisions.spec.ts';
import { type Backend, createSpec } from '../../src/testing/harness.ts';
import { leasesSpec } from '../../src/testing/leases.spec.ts';
import { operationsSpec } from '../../src/testing/operations.spec.ts';
import { createAgent, progress, user } from '../../src/testing/samples.ts';
import { watchSpec } from '../../src/testing/watch.spec.ts';
import { runner } from '../support/backends.ts';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

/** More clients than the pooler has sessions: nobody meets the same session twice in a row. */
const CLIENTS = 5;
const SESSIONS = 3;

let server: PostgresServer;
let pooler: Pooler;
let admin: pg.Client;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  pooler = await startPooler(server.url, SESSIONS);
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
});

afterAll(async () => {
  await admin.end();
  await pooler.stop();
  await server.stop();
});

let schemas = 0;

function backendBehindPooler(prepare: 'auto' | false): Backend {
  return {
    name: `postgres behind a pooler, prepare: ${prepare}`,
    capabilities: { extended: true, sharedAccess: true, backup: false },
    async create() {
      schemas += 1;
      const schema = `s${schemas}`;
      const connection = { connectionString: pooler.url, max: CLIENTS };
      return {
        open: async () => new PostgresStore(connection, undefined, { schema, prepare }),
        destroy: async () => {
          await admin.query(`drop schema if exists ${schema} cascade`);
        },
      };
    },
  };
}

describe('the pooler of these tests', () => {
  it('gives each transaction another session, like one in transaction mode', async () => {
    const client = new pg.Client({ connectionString: pooler.url });
    await client.connect();
    const pid = async () => (await client.query('select pg_backend_pid() as pid')).rows[0]?.pid;
    const pids = [await pid(), await pid()];
    expect(pids[0]).not.toBe(pids[1]);
    await client.query('begin');
    expect(await pid()).toBe(await pid());
    await client.query('commit');
    const named = { name: 'one', text: 'select 1' };
    await client.query(named);
    await expect(client.query(named)).rejects.toMatchObject({ code: '26000' });
    await client.end();
  });
});

for (const prepare of ['auto', false] as const) {
  const backend = backendBehindPooler(prepare);
  const spec = createSpec(runner, backend);
  describe(backend.name, () => {
    commitsSpec(spec);
    leasesSpec(spec);
    decisionsSpec(spec);
    operationsSpec(spec);
    watchSpec(spec);
  });
}

describe('behind a pooler', () => {
  it('a store that fixed prepare to true is told about the lost statement', async () => {
    const options = { schema: 'prepared', prepare: true } as const;
    const store = new PostgresStore({ connectionString: pooler.url, max: 1 }, undefined, options);
    const error = await store
      .list()
      .then(() => store.list())
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((error as Error).message).toMatch(/prepare/);
    await store.close();
  });

  it('several stores with the same statements share its sessions', async () => {
    const open = () =>
      new PostgresStore({ connectionString: pooler.url, max: 2 }, undefined, { schema: 'shared' });
    const stores = [open(), open(), open(), open()];
    await Promise.all(stores.map((store, n) => createAgent(store, `a${n}`)));
    await Promise.all(
      stores.map(async (store) => {
        for (let n = 0; n < 20; n += 1) {
          await store.commit(`a${n % 4}`, { messages: [user('x')], events: [progress('x')] });
        }
      }),
    );
    for (const [n, store] of stores.entries()) {
      expect((await store.loadMessages(`a${n}`)).length).toBe(20);
      expect((await store.checkConsistency()).issues).toEqual([]);
    }
    await Promise.all(stores.map((store) => store.close()));
  });
});
