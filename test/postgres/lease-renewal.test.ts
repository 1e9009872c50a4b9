import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { KodeError, LockTimeoutError } from '../../src/errors.ts';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { MovableClock } from '../../src/testing/movable-clock.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { until } from '../../src/testing/timing.ts';
import { Network } from '../support/network.ts';
import { postgresClock } from '../support/postgres-clock.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const TTL = 15_000;
const MARGIN = 1_500;

const database = postgresDatabase('postgres18');
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface World {
  clock: MovableClock;
  network: Network;
  schema: string;
  /** Its connections go through the network. */
  store: PostgresStore;
  other: PostgresStore;
}

async function setUp(): Promise<World> {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  ends.push(() => dropSchema(schema));
  const clock = await postgresClock(client, schema);
  const network = await Network.to(url);
  ends.push(() => network.refuse());
  const opened = (through: string) => {
    const store = new PostgresStore(
      { connectionString: through, max: 2 },
      undefined,
      withClock(clock, { schema, callTimeoutMs: 1_000 }),
    );
    ends.push(() => store.close().catch(() => undefined));
    return store;
  };
  const [store, other] = [opened(network.url(url)), opened(url)];
  for (const id of ['a', 'b']) await createAgent(store, id);
  return { clock, network, schema, store, other };
}

describe('a lease on PostgreSQL', () => {
  it('L1 is renewed though somebody has locked the row of another one', async () => {
    const { clock, schema, store } = await setUp();
    const blocked = await store.acquireAgentLock('a', TTL);
    const free = await store.acquireAgentLock('b', TTL);
    const { url } = await database();
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    ends.push(() => blocker.end());
    await blocker.query('BEGIN');
    await blocker.query(
      `SELECT 1 FROM ${schema}.kode_data_heads h JOIN ${schema}.kode_data_directory d USING (tree, agent)
       WHERE d.agent_id = 'a' FOR UPDATE OF h`,
    );
    const end = blocked.expiresAt.getTime();
    await clock.advance(TTL / 2);
    expect(blocked.signal.aborted).toBe(false);
    await blocker.query('ROLLBACK');
    // It has been waiting for its row alone, in the database's time.
    await until(() => blocked.expiresAt.getTime() > end, 'it is renewed');
    await clock.advance(TTL);
    for (const lease of [blocked, free]) {
      expect(lease.signal.aborted).toBe(false);
      await store.appendMessages(lease.agentId, [user('x')], { lease });
    }
  });

  it('L1 is renewed while calls that wait fill the pool', async () => {
    const { clock, schema, store } = await setUp();
    const lease = await store.acquireAgentLock('b', TTL);
    const { url } = await database();
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    ends.push(() => blocker.end());
    await blocker.query('BEGIN');
    await blocker.query(
      `SELECT 1 FROM ${schema}.kode_data_heads h JOIN ${schema}.kode_data_directory d USING (tree, agent)
       WHERE d.agent_id = 'a' FOR UPDATE OF h`,
    );
    const first = lease.expiresAt;
    const waiting = Array.from({ length: 8 }, () =>
      store.commit('a', { events: [{ channel: 'progress', type: 'x' }], operationId: crypto.randomUUID() }),
    ).map((call) => call.catch((error: unknown) => error));
    await clock.advance(TTL / 2);
    expect(lease.expiresAt > first).toBe(true);
    await blocker.query('ROLLBACK');
    await Promise.all(waiting);
  });

  it('L2 is over in time, before anybody may have it, while nobody can be reached', async () => {
    const { clock, network, store, other } = await setUp();
    const lease = await store.acquireAgentLock('a', TTL);
    const ends = lease.expiresAt.getTime();
    let over: number | undefined;
    lease.signal.addEventListener('abort', () => {
      over = clock.now();
    });
    network.silence();
    network.cutAll();
    await clock.advance(TTL - 1, { hangs: true });
    expect(over).toBeLessThanOrEqual(ends - MARGIN);
    await expect(other.acquireAgentLock('a')).rejects.toBeInstanceOf(LockTimeoutError);
    await clock.advance(1, { hangs: true });
    await other.acquireAgentLock('a');
  });

  it('L4 can be released again after a release that failed', async () => {
    const { network, store, other } = await setUp();
    const lease = await store.acquireAgentLock('a', TTL);
    await network.refuse();
    await expect(lease.release()).rejects.toBeInstanceOf(KodeError);
    await expect(lease.release()).rejects.toBeInstanceOf(KodeError);
    expect(lease.signal.aborted).toBe(true);
    await expect(other.acquireAgentLock('a')).rejects.toBeInstanceOf(LockTimeoutError);
    await network.accept();
    await lease.release();
    await other.acquireAgentLock('a');
  });
});
