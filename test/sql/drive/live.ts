import { LockTimeoutError } from '../../../src/errors.ts';
import { collect, createAgent, event, user } from '../../../src/testing/samples.ts';
import { expectFailure } from './expect-failure.ts';
import type { Stores } from './stores.ts';

/** Leases, events, and those who follow them. */
export async function driveLive(stores: Stores): Promise<void> {
  await driveLeases(stores);
  await driveEvents(stores);
  await driveWatch(stores);
}

const TTL_MS = 300;

async function driveLeases({ store, other }: Stores): Promise<void> {
  const lease = await store.acquireAgentLock('long', { ttlMs: TTL_MS });
  await expectFailure(LockTimeoutError, other.acquireAgentLock('long', { waitMs: 50 }));
  const claimed = await store.claimResumable({ limit: 3, ttlMs: TTL_MS });
  await store.commit('long', { messages: [user('x')], lease });
  await store.commit('long', { events: [event('progress', 'a')], lease });
  await store.commit('long', { events: [event('progress', 'a'), event('control', 'b')], lease });
  // All of them are renewed together.
  await new Promise((resolve) => setTimeout(resolve, TTL_MS));
  for (const one of [lease, ...claimed]) await one.release();
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
