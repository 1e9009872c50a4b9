import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_PREPARED } from '../../src/postgres/prepared-names.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { TOOL_CALL_FILTERS } from '../sql/filters.ts';
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

/** A store on the one session of a pool, which the tests can look into. */
async function onOneSession(): Promise<{
  store: PostgresStore;
  network: Network;
  prepared(): Promise<Set<string>>;
}> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  const network = await Network.to(url);
  opened({ close: () => network.refuse() });
  const pool = new pg.Pool({ connectionString: network.url(url), max: 1, idleTimeoutMillis: 0 });
  opened({ close: () => pool.end() });
  const store = opened(new PostgresStore(pool, undefined, { schema }));
  await createAgent(store, 'a', [user('x')]);
  return {
    store,
    network,
    async prepared() {
      const { rows } = await pool.query('select name from pg_prepared_statements');
      return new Set(rows.map(({ name }) => name));
    },
  };
}

/** Somewhat more texts than a session keeps. */
const FILTERS = TOOL_CALL_FILTERS.filter(({ agentId }) => agentId === undefined).slice(0, MAX_PREPARED + 20);

describe('X3 the statements that are prepared on a connection', () => {
  it('are so many at most, those that were used last, and make room without a round trip', async () => {
    const { store, network, prepared } = await onOneSession();
    const [first] = FILTERS;
    await store.queryToolCalls(first);
    await store.loadMessages('a');
    const early = await prepared();
    for (const filter of FILTERS) {
      await store.queryToolCalls(filter);
      await store.loadMessages('a');
    }
    const late = await prepared();
    expect(late.size).toBe(MAX_PREPARED);
    const [kept, gone] = [
      [...early].filter((name) => late.has(name)),
      [...early].filter((name) => !late.has(name)),
    ];
    expect(kept).not.toEqual([]);
    expect(gone).not.toEqual([]);
    // What was used all the time is still there.
    await store.loadMessages('a');
    expect(await prepared()).toEqual(late);
    // What was closed takes the place of another.
    const before = network.roundTrips;
    await store.queryToolCalls(first);
    const trips = network.roundTrips - before;
    await store.queryToolCalls(first);
    expect(network.roundTrips - before).toBe(2 * trips);
    expect((await prepared()).size).toBe(MAX_PREPARED);
  });
});
