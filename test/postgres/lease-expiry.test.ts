import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { LeaseNotHeldError } from '../../src/errors.ts';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { MovableClock } from '../../src/testing/movable-clock.ts';
import { createAgent, progress, user } from '../../src/testing/samples.ts';
import { until } from '../../src/testing/timing.ts';
import { postgresClock } from '../support/postgres-clock.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const TTL = 15_000;

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Two stores with agent `a`, and somebody else who locks the agent's row. */
async function setUp(): Promise<{
  clock: MovableClock;
  store: PostgresStore;
  other: PostgresStore;
  block(): Promise<{ waiters(): Promise<number>; rollBack(): Promise<void> }>;
}> {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  open.push({ close: () => dropSchema(schema) });
  const clock = await postgresClock(client, schema);
  const opened = () => {
    const store = new PostgresStore(
      { connectionString: url, max: 4 },
      undefined,
      withClock(clock, { schema }),
    );
    open.push(store);
    return store;
  };
  const [store, other] = [opened(), opened()];
  await createAgent(store, 'a');
  await other.loadInfo('a');
  return {
    clock,
    store,
    other,
    async block() {
      const blocker = new pg.Client({ connectionString: url });
      await blocker.connect();
      open.push({ close: () => blocker.end() });
      await blocker.query('begin');
      const locked = await blocker.query(
        `select pg_backend_pid() as pid from (select 1 from ${schema}.kode_data_heads for update) h`,
      );
      return {
        async waiters() {
          const { rows } = await client.query(
            'select count(*)::int as n from pg_stat_activity where $1 = any(pg_blocking_pids(pid))',
            [locked.rows[0]?.pid],
          );
          return rows[0]?.n;
        },
        async rollBack() {
          await blocker.query('rollback');
        },
      };
    },
  };
}

describe('a lease whose agent somebody else has locked', () => {
  it('and that runs out meanwhile writes nothing, although nothing was changed', async () => {
    const { clock, store, other, block } = await setUp();
    const lease = await store.acquireAgentLock('a', { ttlMs: TTL });
    const { waiters, rollBack } = await block();
    const write = store.appendMessages('a', [user('late')], { lease }).catch((error: unknown) => error);
    await until(async () => (await waiters()) > 0, 'the write waits for the lock');
    await clock.pause(TTL);
    await rollBack();
    expect(await write).toBeInstanceOf(LeaseNotHeldError);
    expect(await other.loadMessages('a')).toEqual([]);
    expect(lease.signal.aborted).toBe(true);
    const next = await other.acquireAgentLock('a', { ttlMs: 5_000, waitMs: 5_000 });
    expect(next.token).toBeGreaterThan(lease.token);
    await other.appendMessages('a', [user('next')], { lease: next });
    await expect(store.appendMessages('a', [user('x')], { lease })).rejects.toBeInstanceOf(LeaseNotHeldError);
  });

  it('and that lives on meanwhile writes', async () => {
    const { store, block } = await setUp();
    const lease = await store.acquireAgentLock('a', { ttlMs: 10_000 });
    const { waiters, rollBack } = await block();
    const write = store.appendMessages('a', [user('in time')], { lease });
    await until(async () => (await waiters()) > 0, 'the write waits for the lock');
    await rollBack();
    await write;
    expect(await store.loadMessages('a')).toEqual([user('in time')]);
  });

  it('and that runs out meanwhile stands in nobody else’s way', async () => {
    const { clock, store, other, block } = await setUp();
    const lease = await store.acquireAgentLock('a', { ttlMs: TTL });
    const { waiters, rollBack } = await block();
    // Planned while the lease holds, decided when it doesn't.
    const write = other.appendMessages('a', [user('without a lease')]).catch((error: unknown) => error);
    const event = other.appendEvent('a', progress('x'));
    await until(async () => (await waiters()) > 0, 'the write waits for the lock');
    await clock.pause(TTL);
    await rollBack();
    expect(await event).toBe(1);
    expect(await write).toBeUndefined();
    expect(await other.loadMessages('a')).toEqual([user('without a lease')]);
    expect(lease.signal.aborted || (await store.loadInfo('a'))?.version === 2).toBe(true);
  });
});
