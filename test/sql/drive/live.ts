import { LockTimeoutError } from '../../../src/errors.ts';
import type { SqlStore } from '../../../src/sql/store.ts';
import { MovableClock } from '../../../src/testing/movable-clock.ts';
import { collect, createAgent, event, user } from '../../../src/testing/samples.ts';
import { expectFailure } from './expect-failure.ts';
import { type Stores, withFresh } from './stores.ts';

/** Leases, events, and those who follow them. */
export async function driveLive(stores: Stores): Promise<void> {
  await driveLeases(stores);
  await driveEvents(stores);
  await driveWatch(stores);
}

const TTL_MS = 15_000;

async function driveLeases(stores: Stores): Promise<void> {
  // Stamps stay near the other stores', which go by the system's clock.
  const clock = new MovableClock({ start: Date.now() });
  const work = async (store: SqlStore) => {
    const lease = await store.acquireAgentLock('long', { ttlMs: TTL_MS });
    await expectFailure(LockTimeoutError, stores.other.acquireAgentLock('long', { waitMs: 50 }));
    const claimed = await store.claimResumable({ limit: 3, ttlMs: TTL_MS });
    await store.commit('long', { messages: [user('x')], lease });
    await store.commit('long', { events: [event('progress', 'a')], lease });
    await store.commit('long', { events: [event('progress', 'a'), event('control', 'b')], lease });
    const before = lease.expiresAt.getTime();
    // All of them are renewed together.
    await clock.advance(TTL_MS / 2);
    if (lease.expiresAt.getTime() <= before) throw new Error('The lease was not renewed');
    for (const one of [lease, ...claimed]) await one.release();
  };
  await withFresh(stores, work, clock);
}

async function driveEvents({ store }: Stores): Promise<void> {
  for (const channel of [undefined, 'progress', 'control', 'monitor'] as const) {
    for (const since of [0, 2_000]) await collect(store.readEvents('long', { channel, since }));
    await collect(store.readEvents('long', { channel, order: 'desc' }));
  }
  await store.appendEvent('long', event('monitor', 'last'));
  await Promise.all([1, 2].map((n) => store.appendEvent('long', event('progress', `${n}`))));
}

async function driveWatch({ store, other }: Stores): Promise<void> {
  await createAgent(store, 'watched', [user('go')]);
  await store.saveDelta('watched', { text: 'first' });
  const stop = new AbortController();
  for await (const item of store.watch('watched', { signal: stop.signal })) {
    if (item.kind === 'delta' && item.delta.text === 'first') {
      // Somebody follows: the other process says so when it writes.
      await other.saveDelta('watched', { text: 'second' });
      await other.commit('watched', { messages: [user('x')], events: [event('progress', 'done')] });
      await other.appendEvent('watched', event('progress', 'last'));
    }
    if (item.kind === 'event' && item.event.type === 'last') stop.abort();
  }
  await store.loadDelta('watched');
  await other.isWatched('watched');
}
