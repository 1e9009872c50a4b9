import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { collect, conversation, createAgent } from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

/** A pool that says how often it was asked for a connection. */
class CountingPool extends pg.Pool {
  asked = 0;

  constructor(url: string) {
    super({ connectionString: url, max: 2 });
    this.on('acquire', () => {
      this.asked += 1;
    });
  }
}

describe('readConnection', () => {
  const database = postgresDatabase('postgres18');

  it('serves queries, iterators and statistics, and nothing else', async () => {
    const shared = await database();
    const schema = await shared.createSchema();
    const [primary, replica] = [new CountingPool(shared.url), new CountingPool(shared.url)];
    const store = new PostgresStore(primary, undefined, { schema, readConnection: replica });
    await createAgent(store, 'a', conversation(4));
    await store.loadMessages('a');
    const opening = replica.asked;
    expect(opening).toBe(1);

    const before = primary.asked;
    expect(await store.queryMessages({ agentId: 'a' })).toHaveLength(4);
    expect(await store.querySessions()).toHaveLength(1);
    expect(await store.queryToolCalls()).toEqual([]);
    expect(await collect(store.iterateMessages())).toHaveLength(4);
    expect((await store.aggregateStats('a')).totalMessages).toBe(4);
    expect(primary.asked).toBe(before);
    expect(replica.asked).toBeGreaterThan(opening);

    const reads = replica.asked;
    await store.appendMessages('a', conversation(1));
    expect(await store.loadMessages('a')).toHaveLength(5);
    expect(replica.asked).toBe(reads);

    await store.close();
    await Promise.all([primary.end(), replica.end()]);
    await shared.dropSchema(schema);
  });

  it('that leads nowhere is an error of the first call, and the next one tries again', async () => {
    const shared = await database();
    const schema = await shared.createSchema();
    const nowhere = { connectionString: 'postgres://kode@127.0.0.1:1/none' };
    const store = new PostgresStore({ connectionString: shared.url, max: 2 }, undefined, {
      schema,
      readConnection: nowhere,
    });
    await expect(store.list()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(store.list()).rejects.toBeInstanceOf(StoreUnavailableError);
    await store.close();
    await shared.dropSchema(schema);
  });
});
