import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { asks, conversation, createAgent, user } from '../../src/testing/samples.ts';
import { outcomes } from '../../src/testing/timing.ts';
import { transactionsInLog } from '../sqlite/write-ahead-log.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const FORKS = 100;
const ids = Array.from({ length: FORKS }, (_, n) => `fork ${n}`);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Counted {
  store: ExtendedStore;
  /** What it costs: transactions on SQLite, round trips on PostgreSQL. */
  costOf(work: () => Promise<unknown>): Promise<number>;
}

async function onSqlite(): Promise<Counted> {
  const directory = await makeTemporaryDirectory();
  const path = join(directory, 'agents.db');
  const store = new SqliteStore(path);
  closing.push(
    () => removeDirectory(directory),
    () => store.close(),
  );
  return { store, costOf: (work) => difference(() => transactionsInLog(path), work) };
}

function onPostgres(): () => Promise<Counted> {
  const database = postgresDatabase('postgres18');
  return async () => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const network = await Network.to(url);
    const store = new PostgresStore({ connectionString: network.url(url), max: 3 }, undefined, { schema });
    closing.push(
      () => dropSchema(schema),
      () => network.refuse(),
      () => store.close(),
    );
    return { store, costOf: (work) => difference(() => network.roundTrips, work) };
  };
}

async function difference(count: () => number, work: () => Promise<unknown>): Promise<number> {
  const before = count();
  await work();
  return count() - before;
}

describe.each([
  ['sqlite', onSqlite],
  ['postgres', onPostgres()],
] as const)('forks of one agent that are asked for at once, on %s', (_name, open) => {
  async function opened(): Promise<Counted> {
    const counted = await open();
    await createAgent(counted.store, 'a', conversation(10));
    // Reserves keys, and knows the agent.
    await counted.store.batchFork('a', FORKS);
    return counted;
  }
  const forkAll = (store: ExtendedStore) => Promise.all(ids.map((agentId) => store.fork('a', { agentId })));

  it('are made in two batches: the first one at once, the others in its wake', async () => {
    const { store, costOf } = await opened();
    expect(await costOf(() => forkAll(store))).toBeLessThanOrEqual(4);
    expect(await store.list('fork')).toHaveLength(FORKS);
    for (const id of ids) await store.appendMessages(id, [user(id)]);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('take a transaction for all where they copy calls', async () => {
    const { store, costOf } = await opened();
    await store.appendMessages('a', [asks('open')]);
    // Statement by statement on PostgreSQL, whatever the number of forks.
    expect(await costOf(() => forkAll(store))).toBeLessThanOrEqual(40);
    expect((await store.loadToolCallRecords('fork 77')).map(({ state }) => state)).toEqual(['sealed']);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('go together with a batch, and with forks at other positions', async () => {
    const { store, costOf } = await opened();
    const work = () =>
      Promise.all([
        ...ids.map((agentId, n) => store.fork('a', { agentId, at: n % 2 ? 10 : 4 })),
        ...ids.map(() => store.batchFork('a', 2)),
      ]);
    expect(await costOf(work)).toBeLessThanOrEqual(10);
    expect(await store.list('fork')).toHaveLength(FORKS);
    expect(await store.list()).toHaveLength(1 + FORKS + FORKS + 2 * FORKS);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('cost the others little when an id is taken', async () => {
    const { store, costOf } = await opened();
    await createAgent(store, 'fork 70');
    let errors: unknown[] = [];
    const work = async () => {
      ({ errors } = await outcomes(ids.map((agentId) => store.fork('a', { agentId }))));
    };
    expect(await costOf(work)).toBeLessThanOrEqual(40);
    expect(errors).toEqual([expect.objectContaining({ code: 'AGENT_EXISTS', agentId: 'fork 70' })]);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('are no more than some in one batch', async () => {
    const { store } = await opened();
    const made = await Promise.all(Array.from({ length: 700 }, () => store.fork('a')));
    expect(new Set(made).size).toBe(700);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('have their turn among the writes of the agent', async () => {
    const { store } = await opened();
    const forks: Promise<string>[] = [];
    const writes: Promise<unknown>[] = [];
    for (let n = 0; n < 10; n += 1) {
      for (let m = 0; m < 3; m += 1) forks.push(store.fork('a'));
      writes.push(store.appendMessages('a', [user(`${n}`)]));
    }
    await Promise.all(writes);
    for (const [i, fork] of (await Promise.all(forks)).entries()) {
      expect(await store.loadMessages(fork)).toHaveLength(10 + Math.floor(i / 3));
    }
    expect((await store.checkConsistency()).issues).toEqual([]);
  });
});
