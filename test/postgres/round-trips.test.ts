import { afterEach, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { answers, asks, conversation, createAgent, progress, user } from '../../src/testing/samples.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function counted(prepare: 'auto' | false): Promise<{
  store: PostgresStore;
  /** Another process: what it does isn't counted. */
  another: PostgresStore;
  tripsOf(work: () => Promise<unknown>): Promise<number>;
}> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  const network = await Network.to(url);
  const connection = { connectionString: network.url(url), max: 1 };
  const store = new PostgresStore(connection, undefined, { schema, prepare });
  const another = new PostgresStore(url, undefined, { schema, prepare });
  open.push({ close: () => dropSchema(schema) }, { close: () => network.refuse() }, store, another);
  return {
    store,
    another,
    async tripsOf(work) {
      const before = network.roundTrips;
      await work();
      return network.roundTrips - before;
    },
  };
}

describe.each(['auto', false] as const)('round trips on the wire (prepare: %s)', (prepare) => {
  it('a commit is one, whatever is in it', async () => {
    const { store, tripsOf } = await counted(prepare);
    await createAgent(store, 'a', conversation(10));
    await store.appendMessages('a', [user('x')]);
    const step = (n: number) => ({
      messages: [asks(`${n}`), answers(`${n}`)],
      toolCalls: [{ toolCallId: `${n}`, state: 'completed' as const, output: n }],
      events: [progress('model'), progress('tool')],
      todos: { todos: [n] },
      usage: [{ model: 'm', inputTokens: n }],
      info: { status: 'running' as const, metadata: { n } },
      operationId: `step ${n}`,
    });
    for (let n = 0; n < 5; n += 1) expect(await tripsOf(() => store.commit('a', step(n)))).toBe(1);
    expect((await store.checkConsistency('a')).issues).toEqual([]);
  });

  it('a commit under a lease, a result for an earlier call, an event: one each', async () => {
    const { store, tripsOf } = await counted(prepare);
    await createAgent(store, 'a', [user('x')]);
    const lease = await store.acquireAgentLock('a');
    await store.appendMessages('a', [asks('call')], { lease });
    const done = { toolCallId: 'call', state: 'completed' as const, output: 1 };
    expect(await tripsOf(() => store.saveToolCallRecords('a', [done], { lease }))).toBe(1);
    expect(await tripsOf(() => store.appendMessages('a', [answers('call')], { lease }))).toBe(1);
    expect(await tripsOf(() => store.appendEvent('a', progress('x')))).toBe(1);
  });

  it('X5 a whole conversation, of which one message is new, is two: what is stored, and the commit', async () => {
    const { store, tripsOf } = await counted(prepare);
    const messages = conversation(2_000);
    await createAgent(store, 'a', messages);
    await store.appendMessages('a', [user('x')]);
    const whole = [...messages, user('x'), user('y')];
    expect(await tripsOf(() => store.saveMessages('a', whole))).toBe(2);
    expect(await store.loadMessages('a')).toEqual(whole);
  });

  it('a snapshot is one, at message 2,000 too', async () => {
    const { store, tripsOf } = await counted(prepare);
    await createAgent(store, 'a', conversation(2_000));
    await store.appendMessages('a', [user('x')]);
    expect(await tripsOf(() => store.saveSnapshot('a', { id: 's' }))).toBe(1);
    expect(await tripsOf(() => store.saveSnapshot('a', { id: 's' }))).toBe(1);
    await store.fork('a', { agentId: 'b' });
    expect(await tripsOf(() => store.saveSnapshot('b', { id: 's' }))).toBe(1);
    await store.appendMessages('b', [user('y')]);
    expect(await tripsOf(() => store.saveSnapshot('b', { id: 't' }))).toBe(1);
    // It replaces one whose history nobody else may need.
    expect(await tripsOf(() => store.saveSnapshot('b', { id: 's' }))).toBeGreaterThan(1);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('a fork is one, and so are a hundred; of a part one more', async () => {
    const { store, tripsOf } = await counted(prepare);
    const turns = [...conversation(2_000), asks('call'), answers('call'), user('x')];
    await createAgent(store, 'a', turns);
    // To know the agent, which this store hasn't written to since it was created.
    expect(await tripsOf(() => store.fork('a'))).toBe(2);
    expect(await tripsOf(() => store.fork('a'))).toBe(1);
    await store.appendMessages('a', [user('y')]);
    expect(await tripsOf(() => store.fork('a', { agentId: 'b' }))).toBe(1);
    expect(await tripsOf(() => store.appendMessages('b', [user('of the fork')]))).toBe(1);
    expect(await tripsOf(() => store.appendMessages('a', [user('of the source')]))).toBe(1);
    expect(await tripsOf(() => store.fork('b'))).toBe(1);
    expect(await tripsOf(() => store.fork('a', { at: 2_002 }))).toBe(2);
    await store.saveSnapshot('a', { id: 's' });
    expect(await tripsOf(() => store.fork('a', { at: 's' }))).toBe(2);
    // In the middle of a call, under locks.
    expect(await tripsOf(() => store.fork('a', { at: 2_001 }))).toBeGreaterThan(2);
    await store.appendMessages('a', [user('z')]);
    // With keys for them; the store has some left then.
    expect(await tripsOf(() => store.batchFork('a', 100))).toBe(2);
    expect(await tripsOf(() => store.batchFork('a', 100))).toBe(1);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('of an agent that this store meets for the first time, it takes one more to know it', async () => {
    const { store, tripsOf, another } = await counted(prepare);
    await createAgent(another, 'a', conversation(10));
    await createAgent(store, 'b');
    expect(await tripsOf(() => store.appendMessages('a', [user('x')]))).toBe(2);
    await another.appendMessages('a', [user('y')]);
    // Refused, known, written.
    expect(await tripsOf(() => store.fork('a'))).toBe(3);
  });

  it('events that are appended together share one', async () => {
    const { store, tripsOf } = await counted(prepare);
    await createAgent(store, 'a');
    await store.appendEvent('a', progress('x'));
    const append = () => Promise.all(Array.from({ length: 50 }, () => store.appendEvent('a', progress('x'))));
    expect(await tripsOf(append)).toBeLessThanOrEqual(2);
  });

  it('a commit costs as much at message 2,000 as at message 10', async () => {
    const { store, tripsOf } = await counted(prepare);
    await createAgent(store, 'a', conversation(2_000));
    expect(await tripsOf(() => store.appendMessages('a', [user('x')]))).toBeLessThanOrEqual(2);
    expect(await tripsOf(() => store.appendMessages('a', [user('x')]))).toBe(1);
  });
});
