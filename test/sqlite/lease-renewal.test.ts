import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaseNotHeldError, LockTimeoutError, StoreBusyError } from '../../src/errors.ts';
import { withClock } from '../../src/model/clock.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { SqliteOptions } from '../../src/store/config.ts';
import type { AgentLease } from '../../src/store/store.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { conversation, createAgent, user } from '../../src/testing/samples.ts';
import { until } from '../../src/testing/timing.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const TTL = 15_000;

let directory: string;
let path: string;
let clock: MovableClock;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
  clock = new MovableClock();
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await removeDirectory(directory);
});

function opened(options: SqliteOptions = {}): SqliteStore {
  const store = new SqliteStore(
    path,
    undefined,
    withClock<SqliteOptions>(clock, { durability: 'normal', ...options }),
  );
  open.push(store);
  return store;
}

/** Another program that writes, until it is let go of. */
function lock(): () => void {
  const other = new Database(path);
  other.exec('BEGIN IMMEDIATE');
  return () => {
    other.exec('ROLLBACK');
    other.close();
  };
}

describe('the leases that a store holds', () => {
  it('L1 are all kept for five minutes in which twenty others a second are taken and released', async () => {
    const store = opened();
    const ids = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${kind}${n}`);
    for (const id of [...ids('held', 200), ...ids('other', 20)]) await createAgent(store, id);
    const take = (id: string) => store.acquireAgentLock(id);
    const held: AgentLease[] = [];
    // Not all at the same moment, so that there is always one that is due.
    for (const id of ids('held', 200)) {
      held.push(await take(id));
      await clock.advance(23);
    }
    let lost = 0;
    for (const { signal } of held) signal.addEventListener('abort', () => (lost += 1));
    for (let half = 0; half < 600; half += 1) {
      const others = await Promise.all(ids('other', 10).map(take));
      await clock.advance(400);
      await Promise.all(others.map((lease) => lease.release()));
      await clock.advance(100);
    }
    expect(lost).toBe(0);
    expect(store.getMetrics().leasesHeld).toBe(200);
    const other = opened();
    await expect(other.acquireAgentLock('held0')).rejects.toBeInstanceOf(LockTimeoutError);
    for (const lease of held) {
      expect(lease.signal.aborted).toBe(false);
      expect(lease.expiresAt.getTime()).toBeGreaterThan(clock.now());
    }
    await store.appendMessages('held199', [user('x')], { lease: held[199] });
  }, 60_000);

  it('L2 are over in time while renewals hang, each before its agent can be had', async () => {
    const store = opened();
    const times = [60, 900, 4_000, TTL, 60_000];
    const over = new Map<string, number>();
    const leases: AgentLease[] = [];
    for (const [n, ttlMs] of times.entries()) {
      await createAgent(store, `a${n}`);
      const lease = await store.acquireAgentLock(`a${n}`, ttlMs);
      lease.signal.addEventListener('abort', () => over.set(lease.agentId, clock.now()));
      leases.push(lease);
    }
    const letGo = lock();
    const ends = new Map(leases.map((lease) => [lease.agentId, lease.expiresAt.getTime()]));
    await clock.advance(60_000, { hangs: true });
    letGo();
    for (const [n, ttlMs] of times.entries()) {
      const margin = Math.max(ttlMs / 10, Math.min(500, ttlMs / 4));
      expect(over.get(`a${n}`), `ttl ${ttlMs}`).toBeLessThanOrEqual((ends.get(`a${n}`) ?? 0) - margin);
      expect(over.get(`a${n}`), `ttl ${ttlMs}`).toBeGreaterThan((ends.get(`a${n}`) ?? 0) - margin - 2);
    }
    const other = opened();
    for (const lease of leases) {
      expect((await other.acquireAgentLock(lease.agentId)).token).toBeGreaterThan(lease.token);
    }
  });

  it('L2 outlive a renewal that comes late, but not too late', async () => {
    const store = opened();
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', TTL);
    const first = lease.expiresAt;
    const letGo = lock();
    await clock.advance(TTL / 2, { hangs: true });
    letGo();
    await until(() => lease.expiresAt > first, 'the renewal that hung');
    await clock.advance(2 * TTL);
    expect(lease.signal.aborted).toBe(false);
    await store.appendMessages('a', [user('x')], { lease });
  });

  it('L4 can be released again after a release that failed', async () => {
    const [store, other] = [opened({ busyTimeoutMs: 20 }), opened()];
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', TTL);
    const letGo = lock();
    await expect(lease.release()).rejects.toBeInstanceOf(StoreBusyError);
    await expect(Promise.all([lease.release(), lease.release()])).rejects.toBeInstanceOf(StoreBusyError);
    letGo();
    expect(lease.signal.aborted).toBe(true);
    await expect(other.acquireAgentLock('a')).rejects.toBeInstanceOf(LockTimeoutError);
    await lease.release();
    const next = await other.acquireAgentLock('a');
    await lease.release();
    expect(next.signal.aborted).toBe(false);
    await expect(store.acquireAgentLock('a')).rejects.toBeInstanceOf(LockTimeoutError);
  });

  it('L4 need no release any more once they have run out', async () => {
    const store = opened({ busyTimeoutMs: 20 });
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', TTL);
    const letGo = lock();
    await expect(lease.release()).rejects.toBeInstanceOf(StoreBusyError);
    await clock.pause(TTL);
    await lease.release();
    letGo();
    await store.acquireAgentLock('a');
  });
});

describe('the instant by which a lease is judged', () => {
  const writes: [string, (store: SqliteStore, lease: AgentLease) => Promise<unknown>][] = [
    ['a commit', (store, lease) => store.appendMessages('a', [user('late')], { lease })],
    ['a rewrite', (store, lease) => store.saveMessages('a', [user('other')], { lease })],
    ['a snapshot', (store, lease) => store.saveSnapshot('a', { id: 's' }, { lease })],
    ['events', (store, lease) => store.commit('a', { events: [{ channel: 'progress', type: 'x' }], lease })],
  ];

  it.each(writes)('L6 is read when the file is locked, in %s', async (_name, write) => {
    const store = opened();
    await createAgent(store, 'a', conversation(2));
    const lease = await store.acquireAgentLock('a', TTL);
    const letGo = lock();
    const written = write(store, lease).catch((error: unknown) => error);
    await new Promise(setImmediate);
    await clock.pause(TTL);
    letGo();
    expect(await written).toBeInstanceOf(LeaseNotHeldError);
    expect(await store.loadMessages('a')).toEqual(conversation(2));
  });

  it('L6 is the same when a lease is taken', async () => {
    const [store, other] = [opened(), opened()];
    await createAgent(store, 'a');
    await other.loadInfo('a');
    const lease = await store.acquireAgentLock('a', TTL);
    const letGo = lock();
    const taken = other.acquireAgentLock('a');
    await new Promise(setImmediate);
    await clock.pause(TTL);
    letGo();
    expect((await taken).token).toBeGreaterThan(lease.token);
  });
});
