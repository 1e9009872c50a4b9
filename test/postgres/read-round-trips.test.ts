import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { answers, asks, conversation, createAgent, user } from '../../src/testing/samples.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Two stores on one database; the requests of the first are counted. */
async function counted(): Promise<{
  store: PostgresStore;
  another: PostgresStore;
  tripsOf(work: () => Promise<unknown>): Promise<number>;
}> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  const network = await Network.to(url);
  const store = new PostgresStore({ connectionString: network.url(url), max: 1 }, undefined, { schema });
  const another = new PostgresStore({ connectionString: url, max: 1 }, undefined, { schema });
  open.push({ close: () => dropSchema(schema) }, { close: () => network.refuse() }, another, store);
  await another.open();
  await store.open();
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

/** With something of everything. */
async function fill(store: PostgresStore, agentId: string): Promise<void> {
  await createAgent(store, agentId, [user('x'), asks('one', 'two'), answers('one')]);
  await store.commit(agentId, {
    toolCalls: [{ toolCallId: 'one', state: 'completed', output: 1 }],
    todos: { todos: ['look'] },
    compaction: { seq: 2, messages: [user('so far')] },
  });
  await store.saveDocument(agentId, { kind: 'media-cache', name: 'n', content: 1 });
}

const READS: Record<string, (store: PostgresStore, agentId: string) => Promise<unknown>> = {
  loadAgent: (store, id) => store.loadAgent(id),
  loadInfo: (store, id) => store.loadInfo(id),
  loadMessages: (store, id) => store.loadMessages(id),
  loadContext: (store, id) => store.loadContext(id),
  loadToolCallRecords: (store, id) => store.loadToolCallRecords(id),
  loadOpenCalls: (store, id) => store.loadOpenCalls(id),
  loadWorkingSet: (store, id) => store.loadWorkingSet(id),
  loadTodos: (store, id) => store.loadTodos(id),
  loadCompactions: (store, id) => store.loadCompactions(id),
  loadDocument: (store, id) => store.loadDocument(id, 'media-cache', 'n'),
  listDocuments: (store, id) => store.listDocuments(id, 'media-cache'),
  'queryMessages of an agent': (store, agentId) => store.queryMessages({ agentId }),
  'queryMessages by role': (store, agentId) => store.queryMessages({ agentId, role: 'user' }),
  'queryMessages by time': (store, agentId) => store.queryMessages({ agentId, createdAfter: 0 }),
  'queryMessages of all agents': (store) => store.queryMessages({ contentType: 'tool_use' }),
  'queryToolCalls of an agent': (store, agentId) => store.queryToolCalls({ agentId }),
  'queryToolCalls of all agents': (store) => store.queryToolCalls({ toolName: 'search' }),
  querySessions: (store) => store.querySessions({ limit: 20 }),
  'aggregateStats of an agent': (store, id) => store.aggregateStats(id),
};

describe.each(Object.entries(READS))('%s', (_name, read) => {
  it('is one round trip', async () => {
    const { store, tripsOf } = await counted();
    await fill(store, 'a');
    expect(await tripsOf(() => read(store, 'a'))).toBe(1);
  });

  it('is one of an agent that the store meets for the first time, too', async () => {
    const { store, another, tripsOf } = await counted();
    await fill(another, 'a');
    expect(await tripsOf(() => read(store, 'a'))).toBe(1);
    expect(await read(store, 'a')).toEqual(await read(another, 'a'));
  });

  it('is one of a fork of a fork', async () => {
    const { store, tripsOf } = await counted();
    await fill(store, 'a');
    await store.fork('a', { agentId: 'b' });
    await store.appendMessages('b', conversation(4));
    await store.fork('b', { agentId: 'c' });
    await store.commit('c', { messages: [asks('three')], todos: { todos: [] } });
    await store.saveDocument('c', { kind: 'media-cache', name: 'n', content: 1 });
    expect(await tripsOf(() => read(store, 'c'))).toBe(1);
  });

  it('finds an agent that another process deleted and made anew', async () => {
    const { store, another } = await counted();
    await fill(store, 'a');
    await store.loadAgent('a');
    await another.delete('a');
    await fill(another, 'a');
    expect(await read(store, 'a')).toEqual(await read(another, 'a'));
  });
});

describe('an empty answer', () => {
  it('takes one more, because it may mean that there is no such agent', async () => {
    const { store, tripsOf } = await counted();
    await createAgent(store, 'a');
    for (const read of [
      () => store.loadMessages('a'),
      () => store.loadToolCallRecords('a'),
      () => store.loadTodos('a'),
      () => store.queryMessages({ agentId: 'a' }),
    ]) {
      expect(await tripsOf(read)).toBe(2);
    }
    expect(await tripsOf(() => store.loadAgent('a'))).toBe(1);
    expect(await tripsOf(() => store.listDocuments('a', 'media-cache'))).toBe(1);
  });
});

describe('an iterator', () => {
  it('has asked for the next page before its caller goes through the one that came', async () => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const pool = new pg.Pool({ connectionString: url, max: 2 });
    const store = new PostgresStore(pool, undefined, { schema });
    open.push({ close: () => dropSchema(schema) }, { close: () => pool.end() }, store);
    await store.open();
    await createAgent(store, 'a', conversation(500));
    let asked = 0;
    pool.on('acquire', () => {
      asked += 1;
    });
    const seen: number[] = [];
    for await (const _ of store.iterateMessages()) seen.push(asked);
    // Pages of 64, 128, 256 and what is left. Whoever leaves within the first one has cost no more than that.
    const pages = [seen.slice(0, 64), seen.slice(64, 192), seen.slice(192, 448), seen.slice(448)];
    expect(pages.map((page) => [...new Set(page)])).toEqual([[1], [3], [4], [4]]);
  });
});
