import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { AgentLease } from '../../src/store/store.ts';
import type { MovableClock } from '../../src/testing/movable-clock.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { outcomes, until } from '../../src/testing/timing.ts';
import { postgresClock } from '../support/postgres-clock.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const TTL = 15_000;
const HELD = ['held0', 'held1', 'held2'];

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
  clock: MovableClock;
  store: PostgresStore;
  leases: AgentLease[];
  /** Somebody else's transaction, which locks these agents. */
  lock(agentIds: string[]): Promise<{ waiters(): Promise<number>; letGo(): Promise<void> }>;
}

/** A store that holds leases, on a pool of its own or on one of the caller's. */
async function holding(whose: 'own' | "the caller's", max: number, others: string[] = []): Promise<Setting> {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  const clock = await postgresClock(client, schema);
  const config = { connectionString: url, max };
  const pool = whose === 'own' ? config : new pg.Pool(config);
  if (pool instanceof pg.Pool) opened({ close: () => pool.end() });
  const store = opened(new PostgresStore(pool, undefined, withClock(clock, { schema })));
  for (const agentId of [...HELD, ...others]) await createAgent(store, agentId);
  const leases = await Promise.all(HELD.map((agentId) => store.acquireAgentLock(agentId, TTL)));
  const lock: Setting['lock'] = async (agentIds) => {
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    opened({ close: () => blocker.end() });
    await blocker.query('begin');
    const { rows } = await blocker.query(
      `select pg_backend_pid() as pid from ${schema}.kode_data_heads h
       where (tree, agent) in (select tree, agent from ${schema}.kode_data_directory where agent_id = any($1))
       for update`,
      [agentIds],
    );
    expect(rows).toHaveLength(agentIds.length);
    return {
      async waiters() {
        const waiting = await client.query(
          `select count(*)::int as n from pg_stat_activity
           where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0 and query like $1`,
          [`%${schema}%`],
        );
        return waiting.rows[0]?.n;
      },
      async letGo() {
        await blocker.query('rollback');
      },
    };
  };
  return { clock, store, leases, lock };
}

function expectHeld(leases: readonly AgentLease[], clock: MovableClock): void {
  for (const lease of leases) {
    expect(lease.signal.aborted, lease.agentId).toBe(false);
    expect(lease.expiresAt.getTime(), lease.agentId).toBeGreaterThan(clock.now());
  }
}

describe('while somebody else keeps the row of an agent locked, its lease', () => {
  it('L2 is over in time, and costs the other leases nothing', async () => {
    const { clock, store, leases, lock } = await holding('own', 2);
    const [first = expect.unreachable(), ...rest] = leases;
    const over: number[] = [];
    first.signal.addEventListener('abort', () => over.push(clock.now()));
    const { letGo } = await lock(['held0']);
    const end = first.expiresAt.getTime();
    await clock.advance(3 * TTL);
    expect(over).toHaveLength(1);
    expect(over[0]).toBeLessThan(end);
    expectHeld(rest, clock);
    await letGo();
    expect((await store.acquireAgentLock('held0')).token).toBeGreaterThan(first.token);
  });
});

describe('a lease whose row others have locked each time that it is renewed', () => {
  it('L2 waits for it alone, before its time is over', async () => {
    const { clock, leases, lock } = await holding('own', 2);
    const [first = expect.unreachable(), ...rest] = leases;
    const { waiters, letGo } = await lock(['held0']);
    const end = first.expiresAt.getTime();
    await clock.advance(TTL / 2);
    await until(async () => (await waiters()) === 1, 'it waits for its row');
    expect(first.expiresAt.getTime()).toBe(end);
    expectHeld(rest, clock);
    await letGo();
    await until(() => first.expiresAt.getTime() > end, 'it is renewed');
    // From then on, it goes along with the others.
    await clock.advance(2 * TTL);
    expectHeld(leases, clock);
  });
});

describe('while every connection of the pool waits for locks, leases', () => {
  it.each([
    ['own', 2, 2],
    ["the caller's", 3, 2],
  ] as const)('L2 are renewed, in a pool that is %s', async (whose, max, ordinary) => {
    const others = ['o0', 'o1', 'o2', 'o3', 'o4'];
    const { clock, store, leases, lock } = await holding(whose, max, others);
    const { waiters, letGo } = await lock(others);
    const writes = others.map((agentId) => store.appendMessages(agentId, [user('x')]));
    await until(async () => (await waiters()) === ordinary, 'all connections wait');
    await clock.advance(4 * TTL);
    expectHeld(leases, clock);
    // What is kept for renewals serves nobody else.
    expect(await waiters()).toBe(ordinary);
    await letGo();
    expect((await outcomes(writes)).errors).toEqual([]);
  });
});
