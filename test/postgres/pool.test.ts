import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreBusyError, StoreUnavailableError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { asks, createAgent, progress, user } from '../../src/testing/samples.ts';
import { outcomes, pause, until, within } from '../../src/testing/timing.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

async function newSchema(): Promise<string> {
  const { createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  return schema;
}

/** A pool of the caller's, of which the tests can take connections away. */
async function poolOf(max: number, connectionTimeoutMillis: number, url?: string): Promise<pg.Pool> {
  const pool = new pg.Pool({
    connectionString: url ?? (await database()).url,
    max,
    connectionTimeoutMillis,
  });
  pool.on('error', () => undefined);
  opened({ close: async () => (pool.ended ? undefined : pool.end()) });
  return pool;
}

async function storeOn(pool: pg.Pool): Promise<PostgresStore> {
  return opened(new PostgresStore(pool, undefined, { schema: await newSchema() })).open();
}

/** Takes every connection of a pool of `max`; returns what gives them back. */
async function takeAll(pool: pg.Pool, max: number): Promise<() => void> {
  const taken = await Promise.all(Array.from({ length: max }, () => pool.connect()));
  return () => {
    for (const client of taken.splice(0)) client.release();
  };
}

const calls = (store: PostgresStore, count: number) => Array.from({ length: count }, () => store.list());

describe('a pool that is smaller than the number of its users', () => {
  it.each([10, 3])(
    'of %i serves 1,000 agents at once, however long they wait',
    async (max) => {
      const schema = await newSchema();
      const { url } = await database();
      const connection = { connectionString: url, max, connectionTimeoutMillis: 500 };
      const store = opened(new PostgresStore(connection, undefined, { schema }));
      // Whether a busy machine connects in time is another matter: here, it is connected.
      const connect = async () => (await outcomes(calls(store, max))).errors.length === 0;
      await until(connect, 'all are connected', 60_000);
      const serve = async (agentId: string) => {
        await createAgent(store, agentId);
        for (let n = 0; n < 2; n += 1) {
          await store.commit(agentId, { messages: [user(`${n}`), asks(`${n}`)], events: [progress('x')] });
        }
        // A call without its result: a transaction, and keys for the fork.
        if (agentId.endsWith('0')) await store.fork(agentId, { agentId: `${agentId} forked` });
        return (await store.loadAgent(agentId)).messages.length;
      };
      const { values, errors } = await outcomes(Array.from({ length: 1_000 }, (_, n) => serve(`agent-${n}`)));
      expect(errors).toEqual([]);
      expect(values).toEqual(Array.from({ length: 1_000 }, () => 4));
      expect(await store.list()).toHaveLength(1_100);
    },
    120_000,
  );

  it('that two stores share is one queue for both', async () => {
    const pool = await poolOf(2, 300);
    const stores = [await storeOn(pool), await storeOn(pool)];
    await Promise.all(stores.map((store) => createAgent(store, 'a')));
    let most = 0;
    pool.on('acquire', () => {
      most = Math.max(most, pool.waitingCount);
    });
    const { errors } = await outcomes(stores.flatMap((store) => calls(store, 400)));
    expect(errors).toEqual([]);
    // The pool takes a client that is idle in the next tick: never more wait there than it has.
    expect(most).toBeLessThanOrEqual(2);
  });

  it('serves in the order in which the calls came', async () => {
    const pool = await poolOf(1, 0);
    const store = await storeOn(pool);
    const giveBack = await takeAll(pool, 1);
    const ended: number[] = [];
    const under = calls(store, 20).map((call, n) => call.then(() => ended.push(n)));
    giveBack();
    await Promise.all(under);
    expect(ended).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('follows a change of its size', async () => {
    const pool = await poolOf(1, 0);
    const store = await storeOn(pool);
    pool.options.max = 4;
    const giveBack = await takeAll(pool, 3);
    await within(store.list(), 'a call with a connection left');
    giveBack();
    await Promise.all(calls(store, 20));
    expect(pool.totalCount).toBeGreaterThan(1);
  });
});

describe('a pool that has no connection to give', () => {
  it('is one for those that wait when it has one again', async () => {
    const pool = await poolOf(2, 400);
    const store = await storeOn(pool);
    const giveBack = await takeAll(pool, 2);
    const under = outcomes(calls(store, 50));
    await pause(600);
    giveBack();
    const { values, errors } = await within(under, 'the calls');
    // Those that were tried and got none; the others came after them.
    expect(errors).toHaveLength(2);
    for (const error of errors) expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(values).toHaveLength(48);
    expect(await store.list()).toEqual([]);
  });

  it('fails those who waited for as long as it lets one wait, all of them', async () => {
    const pool = await poolOf(2, 300);
    const store = await storeOn(pool);
    const giveBack = await takeAll(pool, 2);
    const began = performance.now();
    const { errors } = await within(outcomes(calls(store, 200)), 'the calls');
    expect(errors).toHaveLength(200);
    for (const error of errors) expect(error).toBeInstanceOf(StoreUnavailableError);
    // Not one time-out after the other, which would be a hundred.
    expect(performance.now() - began).toBeLessThan(300 * 20);
    giveBack();
    expect(await store.list()).toEqual([]);
  });

  it('because a statement takes long, keeps nobody from waiting for it', async () => {
    const pool = await poolOf(2, 200);
    const store = await storeOn(pool);
    await createAgent(store, 'a');
    const client = await pool.connect();
    const { values, errors } = await outcomes(calls(store, 200));
    client.release();
    expect(errors).toEqual([]);
    expect(values).toHaveLength(200);
  });

  it('because connecting fails, lets those that wait try for themselves', async () => {
    const { url } = await database();
    const network = await Network.to(url);
    opened({ close: () => network.refuse() });
    const pool = await poolOf(3, 2_000, network.url(url));
    const store = await storeOn(pool);
    await network.refuse();
    // Idle connections break a moment later.
    await until(() => pool.totalCount === 0, 'the pool notices');
    const { errors } = await within(outcomes(calls(store, 100)), 'the calls');
    expect(errors).toHaveLength(100);
    for (const error of errors) expect(String(error)).toMatch(/refuses connections/);
    await network.accept();
    const again = await within(outcomes(calls(store, 100)), 'the calls');
    expect(again.errors).toEqual([]);
  });

  it('because the server never answers, is given up', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const pool = await poolOf(2, 300, `postgres://nobody@127.0.0.1:${port}/nothing`);
    const store = opened(new PostgresStore(pool));
    const { errors } = await within(outcomes(calls(store, 50)), 'the calls');
    for (const socket of sockets) socket.destroy();
    silent.close();
    expect(errors).toHaveLength(50);
    for (const error of errors) expect(error).toBeInstanceOf(StoreUnavailableError);
  });
});

describe('while calls wait for a connection', () => {
  it('P1 more than may wait are refused at once, and those that wait are served', async () => {
    const pool = await poolOf(1, 0);
    const options = { schema: await newSchema(), maxQueuedCalls: 3 };
    const store = await opened(new PostgresStore(pool, undefined, options)).open();
    const giveBack = await takeAll(pool, 1);
    // One is with the pool already, and three wait for it.
    const under = outcomes(calls(store, 4));
    const { errors } = await within(outcomes(calls(store, 5)), 'the calls too many', 2_000);
    expect(errors).toHaveLength(5);
    for (const error of errors) {
      expect(error).toBeInstanceOf(StoreBusyError);
      expect(error).toMatchObject({
        outcome: 'none',
        message: expect.stringMatching(/3 calls wait.*maxQueuedCalls.*Nothing was stored/),
      });
    }
    giveBack();
    expect((await within(under, 'those that waited')).values).toHaveLength(4);
    expect(await store.list()).toEqual([]);
  });

  it('errors of those before them cost them nothing', async () => {
    const pool = await poolOf(2, 500);
    const store = await storeOn(pool);
    await createAgent(store, 'a');
    const failing = (n: number) => store.fork('a', { agentId: n % 2 ? 'a' : `b${n}` });
    const { values, errors } = await outcomes(Array.from({ length: 60 }, (_, n) => failing(n)));
    expect([values.length, errors.length]).toEqual([30, 30]);
    for (const error of errors) expect(error).toMatchObject({ code: 'AGENT_EXISTS' });
  });

  it('close() waits for them', async () => {
    const schema = await newSchema();
    const { url } = await database();
    const store = new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
    await createAgent(store, 'a');
    const under = outcomes(calls(store, 200));
    await within(store.close(), 'close');
    const { values, errors } = await within(under, 'the calls');
    expect(errors).toEqual([]);
    expect(values).toHaveLength(200);
  });

  it('the end of a pool of the caller is an error for them', async () => {
    const pool = await poolOf(1, 0);
    const store = await storeOn(pool);
    await store.list();
    const giveBack = await takeAll(pool, 1);
    const under = outcomes(calls(store, 20));
    giveBack();
    await pool.end();
    const { values, errors } = await within(under, 'the calls');
    expect(values.length + errors.length).toBe(20);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(String(error)).toMatch(/pool has been ended/);
    }
    await within(store.close(), 'close');
  });
});

describe('leases on a pool that several stores share', () => {
  it('L2 keep one of its connections together, whichever store holds them', async () => {
    const pool = await poolOf(2, 0);
    const stores = [await storeOn(pool), await storeOn(pool)];
    for (const store of stores) {
      await createAgent(store, 'a');
      await store.acquireAgentLock('a');
    }
    const kept = () => pool.totalCount - pool.idleCount;
    await until(() => kept() === 1, 'one connection is kept');
    for (const store of stores) await within(store.list(), 'a call beside the leases', 2_000);
    for (const store of stores) await store.close();
    await until(() => kept() === 0, 'no connection is kept');
  });
});
