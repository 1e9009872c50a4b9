import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KodeError, StoreBusyError, StoreUnavailableError } from '../../src/errors.ts';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { MAX_LENGTH } from '../../src/sql/write/event-writer.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { collect, conversation, createAgent, progress, user } from '../../src/testing/samples.ts';
import { outcomes, until, within } from '../../src/testing/timing.ts';
import { TIME_OUTS } from '../support/environment.ts';
import { CAN_FREEZE, freezeServer } from '../support/frozen-server.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

/** Short, so that the tests are, too. */
const CALL_MS = 500;
/** With the server's last word, and time for a busy machine. */
const BOUND_MS = CALL_MS + 1_000 + 2_000;

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

interface Setting {
  store: PostgresStore;
  /** Sees what is stored, by another way. */
  witness: PostgresStore;
  network: Network;
  schema: string;
}

async function behindNetwork(max = 2, callTimeoutMs = CALL_MS): Promise<Setting> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  const network = await Network.to(url);
  opened({ close: () => network.refuse() });
  const witness = opened(new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema }));
  await createAgent(witness, 'a', [user('x')]);
  const connection = { connectionString: network.url(url), max };
  const store = opened(new PostgresStore(connection, undefined, { schema, callTimeoutMs }));
  await opens(store);
  await store.loadAgent('a');
  return { store, witness, network, schema };
}

/** On a busy machine, connecting may take longer than a call may. */
async function opens(store: PostgresStore): Promise<void> {
  const answers = () =>
    store.list().then(
      () => true,
      () => false,
    );
  await until(answers, 'the store opens', 20_000);
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  opened({ close: () => client.end() });
  return client;
}

/** Somebody else's transaction, which holds what this statement locks. */
async function blocker(statement: string): Promise<pg.Client> {
  const client = await connected((await database()).url);
  await client.query('begin');
  await client.query(statement);
  return client;
}

/** Every kind of call; each of them reads or writes. */
const CALLS: Record<string, (store: PostgresStore) => Promise<unknown>> = {
  commit: (store) => store.commit('a', { messages: [user('y')] }),
  saveInfo: (store) => store.saveInfo('new', {}),
  saveMessages: (store) => store.saveMessages('a', []),
  appendEvent: (store) => store.appendEvent('a', progress('x')),
  saveDelta: (store) => store.saveDelta('a', { text: 'x' }),
  loadAgent: (store) => store.loadAgent('a'),
  loadMessages: (store) => store.loadMessages('a'),
  list: (store) => store.list(),
  exists: (store) => store.exists('a'),
  fork: (store) => store.fork('a'),
  batchFork: (store) => store.batchFork('a', 3),
  delete: (store) => store.delete('a'),
  readEvents: (store) => collect(store.readEvents('a')),
  querySessions: (store) => store.querySessions(),
  queryMessages: (store) => store.queryMessages({ agentId: 'a' }),
  aggregateStats: (store) => store.aggregateStats('a'),
  acquireAgentLock: (store) => store.acquireAgentLock('a'),
  claimResumable: (store) => store.claimResumable({ limit: 1 }),
};

/** Each call on its own, all at once: how long it took, and how it failed. */
async function failures(stores: readonly PostgresStore[]): Promise<[name: string, error: unknown][]> {
  const calls = Object.entries(CALLS).map(async ([name, call], i): Promise<[string, unknown]> => {
    const store = stores[i % stores.length] ?? expect.unreachable();
    const failed = call(store).then(
      () => expect.unreachable(`${name} succeeded`),
      (error: unknown) => error,
    );
    return [name, await within(failed, name, BOUND_MS)];
  });
  return Promise.all(calls);
}

function expectTyped(failed: [name: string, error: unknown][]): void {
  for (const [name, error] of failed) {
    expect(error, name).toBeInstanceOf(KodeError);
    expect(error, name).toMatchObject({ outcome: expect.stringMatching(/^(none|unknown)$/) });
  }
}

describe('P1 a server that answers nobody', () => {
  it('from the beginning: every call returns within its bound', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const url = `postgres://nobody@127.0.0.1:${port}/nothing`;
    const stores = Array.from({ length: 3 }, () =>
      opened(new PostgresStore({ connectionString: url, max: 2 }, undefined, { callTimeoutMs: CALL_MS })),
    );
    const failed = await failures(stores);
    expectTyped(failed);
    // Nothing was sent, so nothing can have been stored.
    for (const [name, error] of failed) expect(error, name).toMatchObject({ outcome: 'none' });
    const report = await within((stores[0] ?? expect.unreachable()).healthCheck(), 'healthCheck', BOUND_MS);
    expect(report).toMatchObject({ healthy: false, database: { connected: false } });
    await within(Promise.all(stores.map((store) => store.close())), 'close', BOUND_MS);
    silent.close();
  });

  it('after a while: every call returns within its bound, and the store works when it does', async () => {
    const { store, network } = await behindNetwork(3);
    network.swallow();
    const failed = await failures([store]);
    expectTyped(failed);
    const report = await within(store.healthCheck(), 'healthCheck', BOUND_MS);
    expect(report).toMatchObject({ healthy: false, database: { connected: false } });
    network.deliver();
    expect(await within(store.loadMessages('a'), 'a call', 10_000)).toHaveLength(1);
  });

  it('in mid-write leaves it unknown what is stored, and a repetition makes it good', async () => {
    const { store, witness, network } = await behindNetwork();
    // It knows the agent by now: the next commit is one statement.
    await store.appendMessages('a', [user('y')]);
    const change = { messages: [user('once')], operationId: 'step 1' };
    // It is stored, and nobody hears of it.
    network.holdAnswers();
    const error = await store.commit('a', change).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toMatchObject({
      outcome: 'unknown',
      message: expect.stringMatching(/unknown\. Repeat it with the same operationId/),
    });
    network.deliver();
    expect(await store.commit('a', change)).toMatchObject({ version: 3, messageCount: 3 });
    expect(await witness.loadMessages('a')).toEqual([user('x'), user('y'), user('once')]);
  });

  it('A5 in mid-write says to each call what it can do', async () => {
    const { store, network } = await behindNetwork(8);
    for (const agentId of ['b', 'c']) await store.fork('a', { agentId });
    await store.appendEvent('a', progress('x'));
    const lease = await store.acquireAgentLock('b');
    const calls: [RegExp, () => Promise<unknown>][] = [
      [
        /Repeat it with the same operationId/,
        () => store.commit('a', { todos: { todos: [] }, operationId: '1' }),
      ],
      [
        /Load the agent to see.*A commit that has an operationId/,
        () => store.appendMessages('a', [user('y')]),
      ],
      [/exists\(\)/, () => store.fork('a')],
      [/list\(\)/, () => store.batchFork('a', 2)],
      [/runs out by itself/, () => store.acquireAgentLock('c')],
      [/newest events/, () => store.appendEvent('a', progress('x'))],
      [/Repeat it, or let the lease run out/, () => lease.release()],
    ];
    for (const [remedy, call] of calls) {
      // It has connections, and knows the agent: the next write is one statement.
      await Promise.all([opens(store), opens(store), opens(store)]);
      await store.appendMessages('a', [user('y')]);
      network.holdAnswers();
      const error = await call().catch((reason: unknown) => reason);
      expect(error, String(remedy)).toMatchObject({ outcome: 'unknown' });
      expect((error as Error).message).toMatch(/Whether the write was stored is unknown\./);
      expect((error as Error).message).toMatch(remedy);
      network.deliver();
    }
  });

  it('in mid-transaction has stored nothing, unless it was told to commit', async () => {
    // A cut shows at once: what runs into the bound here would be a busy machine.
    const { store, witness, network } = await behindNetwork(1, 20 * CALL_MS);
    network.cut('before', 'FOR UPDATE');
    expect(await store.saveMessages('a', []).catch((reason: unknown) => reason)).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'none',
      message: expect.stringMatching(/Nothing was stored/),
    });
    network.cut('before', 'COMMIT\u0000', 'FOR UPDATE');
    expect(await store.saveMessages('a', []).catch((reason: unknown) => reason)).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'unknown',
    });
    expect(await witness.loadMessages('a')).toHaveLength(1);
  });

  it('within the time for its last word has stored what it says it has', async () => {
    const { store, witness, network } = await behindNetwork();
    await store.appendMessages('a', [user('y')]);
    network.holdAnswers();
    const commit = store.commit('a', { messages: [user('late')] });
    const before = network.connections;
    // The request to cancel comes on a connection of its own, and too late.
    await until(() => network.connections > before, 'the store asks to cancel');
    network.deliver();
    expect(await commit).toMatchObject({ version: 3 });
    expect(await witness.loadMessages('a')).toHaveLength(3);
  });

  it('for work that may take long ends it, although that has no time limit', async () => {
    const { store, network, schema } = await behindNetwork();
    const other = await blocker(`lock table ${schema}.kode_data_heads in access exclusive mode`);
    // Longer than a call may take: the server is asked whether it lives, and it does.
    const check = store.checkConsistency();
    const early = await Promise.race([check, new Promise((resolve) => setTimeout(resolve, 4 * CALL_MS))]);
    expect(early).toBeUndefined();
    await other.query('rollback');
    expect(await check).toMatchObject({ consistent: true });
    network.swallow();
    const error = await within(
      store.checkConsistency().catch((reason: unknown) => reason),
      'a check',
      BOUND_MS + 2 * CALL_MS,
    );
    expect(error).toBeInstanceOf(StoreUnavailableError);
  });
});

describe('P1 what may rightly take long', () => {
  it('ends with the signal of its caller, with its reason', async () => {
    const { store, network } = await behindNetwork(8, 60_000);
    const ended = new Error('enough');
    const calls: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
      iterateMessages: (signal) => collect(store.iterateMessages({}, { signal })),
      iterateSessions: (signal) => collect(store.iterateSessions({}, { signal })),
      iterateToolCalls: (signal) => collect(store.iterateToolCalls({}, { signal })),
      aggregateStats: (signal) => store.aggregateStats({}, { signal }),
    };
    for (const call of Object.values(calls)) {
      await call(new AbortController().signal);
      await expect(call(AbortSignal.abort(ended))).rejects.toBe(ended);
    }
    expect(await store.batchFork('a', 2, { signal: new AbortController().signal })).toHaveLength(2);
    network.swallow();
    const end = new AbortController();
    const under = Object.values(calls).map((call) => call(end.signal));
    setTimeout(() => end.abort(ended), 50);
    const { errors } = await within(outcomes(under), 'the calls', BOUND_MS);
    for (const error of errors) expect(error).toBe(ended);
    expect(errors).toHaveLength(under.length);
  });

  it('ends at once where the signal has aborted before, although nobody gets a connection', async () => {
    const { store, network } = await behindNetwork(1, 60_000);
    const ended = new Error('enough');
    network.swallow();
    const inTheWay = store.list().catch(() => undefined);
    const calls = [
      store.aggregateStats({}, { signal: AbortSignal.abort(ended) }),
      store.batchFork('a', 2, { signal: AbortSignal.abort(ended) }),
      store.checkConsistency({ signal: AbortSignal.abort(ended) }),
      collect(store.iterateMessages({}, { signal: AbortSignal.abort(ended) })),
    ];
    const { errors } = await within(outcomes<unknown>(calls), 'the calls', 2_000);
    expect(errors).toEqual(calls.map(() => ended));
    network.cutAll();
    await inTheWay;
  });

  it('is left unknown by the signal only where the server had it, and says nothing', async () => {
    const { store, network } = await behindNetwork(1, 60_000);
    await store.batchFork('a', 2);
    network.holdAnswers();
    const end = new AbortController();
    const before = network.roundTrips;
    const fork = store.batchFork('a', 2, { signal: end.signal }).catch((error: unknown) => error);
    await until(() => network.roundTrips > before, 'the server has it');
    end.abort(new Error('enough'));
    expect(await fork).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' });
    network.deliver();
  });
});

describe.runIf(CAN_FREEZE)('P1 a server that is stopped', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
  });

  afterAll(() => server.stop());

  it('every call returns within its bound, and the store works when it goes on', async () => {
    const connection = { connectionString: server.url, max: 3 };
    const store = opened(new PostgresStore(connection, undefined, { callTimeoutMs: CALL_MS }));
    await opens(store);
    await createAgent(store, 'a', conversation(3));
    const thaw = freezeServer(server);
    try {
      expectTyped(await failures([store]));
      const report = await within(store.healthCheck(), 'healthCheck', BOUND_MS);
      expect(report).toMatchObject({ healthy: false, database: { connected: false } });
    } finally {
      thaw();
    }
    await within(
      store.loadAgent('a').catch(() => store.list()),
      'a call',
      10_000,
    );
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('close() ends where it listened for a watcher who pauses', async () => {
    const connection = { connectionString: server.url, max: 3 };
    const store = new PostgresStore(connection, undefined, { callTimeoutMs: CALL_MS });
    await opens(store);
    await createAgent(store, 'watched');
    await store.appendEvent('watched', progress('x'));
    const client = await connected(server.url);
    await store.watch('watched', { since: 0 })[Symbol.asyncIterator]().next();
    const listens = async () => {
      const { rows } = await client.query("select 1 from pg_stat_activity where query like 'LISTEN%'");
      return rows.length > 0;
    };
    await until(listens, 'it listens');
    const thaw = freezeServer(server);
    try {
      await within(store.close(), 'close', BOUND_MS);
    } finally {
      thaw();
    }
  });
});

describe('P1 waiting for a lease', () => {
  it('ends when the caller said, although the server answers nobody', async () => {
    const { store, network } = await behindNetwork(2, 60_000);
    network.swallow();
    const start = performance.now();
    const error = await store.acquireAgentLock('a', { waitMs: 300 }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toMatchObject({ outcome: 'unknown' });
    expect(performance.now() - start).toBeLessThan(300 + 500 + 1_000);
    network.cutAll();
  });
});

describe('P1 close()', () => {
  it('waits for a server that answers nobody for as long as it may, and ends what is under way', async () => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    opened({ close: () => dropSchema(schema) });
    const network = await Network.to(url);
    opened({ close: () => network.refuse() });
    const clock = new MovableClock();
    const options = withClock(clock, { schema, callTimeoutMs: 60_000 });
    const store = new PostgresStore({ connectionString: network.url(url), max: 2 }, undefined, options);
    await createAgent(store, 'a', [user('x')]);
    await store.appendMessages('a', [user('y')]);
    network.swallow();
    const commit = store.appendMessages('a', [user('z')]).catch((reason: unknown) => reason);
    await within(clock.advanceUntil(store.close(), 500), 'close', 10_000);
    expect(clock.monotonic()).toBeLessThanOrEqual(10_000);
    expect(await commit).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' });
  });
});

describe('P1 writes to one agent that wait for each other', () => {
  it('give up together, not one after the other', async () => {
    const { store, network } = await behindNetwork(2);
    network.swallow();
    const writes = Array.from({ length: 20 }, () => store.appendMessages('a', [user('z')]));
    const { errors } = await within(outcomes(writes), 'the writes', 2 * BOUND_MS);
    expect(errors).toHaveLength(20);
    expectTyped(errors.map((error) => ['appendMessages', error]));
  });

  it('as events do that are too much for one statement', async () => {
    const { store, network } = await behindNetwork(2);
    await store.appendEvent('a', progress('x'));
    network.swallow();
    const text = 'x'.repeat(MAX_LENGTH);
    const writes = Array.from({ length: 5 }, () => store.appendEvent('a', { ...progress('x'), text }));
    const { errors } = await within(outcomes(writes), 'the writes', 2 * BOUND_MS);
    const [first, ...others] = errors;
    expect(first).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' });
    expect(others).toHaveLength(4);
    for (const error of others) {
      expect(error).toMatchObject({ code: 'STORE_BUSY', outcome: 'none', cause: { outcome: 'unknown' } });
    }
  });
});

describe('P1 forks of one agent that are asked for at the same time', () => {
  it('give up together, whatever positions they are of', async () => {
    const { store, network } = await behindNetwork(2, 2 * CALL_MS);
    const positions = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5'];
    for (const at of positions) await store.saveSnapshot('a', { id: at, messages: [user(at)] });
    await store.fork('a');
    network.swallow();
    const forks = positions.map((at) => store.fork('a', { at }));
    // Another write waits behind them.
    const write = store.appendMessages('a', [user('y')]);
    const { errors } = await within(outcomes<unknown>([...forks, write]), 'the forks', 2 * BOUND_MS);
    const [first, ...others] = errors;
    expect(first).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(others).toHaveLength(positions.length);
    for (const error of others) {
      expect(error).toMatchObject({
        code: 'STORE_BUSY',
        outcome: 'none',
        message: expect.stringMatching(/This write waited/),
      });
    }
  });
});

describe('P1 a statement that waits for others', () => {
  it('is cancelled, has stored nothing, and leaves no session behind', async () => {
    const { witness, schema } = await behindNetwork();
    const { url, client } = await database();
    const max = 3;
    const connection = { connectionString: url, max, application_name: schema };
    const options = { schema, callTimeoutMs: 40 };
    // Connecting may take its time.
    const store = opened(
      new PostgresStore({ ...connection, connectionTimeoutMillis: 10_000 }, undefined, options),
    );
    await opens(store);
    const other = await blocker(`select 1 from ${schema}.kode_data_heads for update`);
    const save = () => store.saveDelta('a', { text: 'x' });
    let silent = 0;
    for (let failed = 0; failed < TIME_OUTS; failed += max) {
      const { errors } = await outcomes(Array.from({ length: max }, save));
      expect(errors).toHaveLength(max);
      for (const error of errors) {
        // A server that has no time for its last word has said nothing: that is then what the error says.
        if ((error as { outcome?: string }).outcome === 'unknown') silent += 1;
        else {
          expect(error).toBeInstanceOf(StoreBusyError);
          expect(error).toMatchObject({
            outcome: 'none',
            message: expect.stringMatching(/cancelled.*Nothing/),
          });
        }
      }
    }
    expect(silent).toBeLessThan(TIME_OUTS / 2);
    const backends = async () => {
      const { rows } = await client.query(
        'select count(*)::int as n from pg_stat_activity where application_name = $1',
        [schema],
      );
      return rows[0]?.n;
    };
    await until(async () => (await backends()) <= max + 1, 'the sessions go', 1_000);
    await other.query('rollback');
    // Of those whose end is unknown, some may have gone on: the others have stored nothing, as they said.
    expect((await witness.loadDelta('a')).length).toBeLessThanOrEqual(silent);
    expect(await store.loadMessages('a')).toHaveLength(1);
  }, 180_000);
});
