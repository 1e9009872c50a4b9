import assert from 'node:assert/strict';
import type { Spec } from './harness.ts';
import { createAgent, user } from './samples.ts';

export function clockSpec(spec: Spec): void {
  spec.describe('the clock of a store', () => {
    spec.clocked('L6 gives the stamps', async ({ clock, store }) => {
      const start = clock.now();
      await createAgent(store, 'a');
      await clock.advance(60_000);
      await store.commit('a', { messages: [user('x')] });
      const info = await store.loadInfo('a');
      assert.deepEqual(info?.createdAt, new Date(start));
      assert.deepEqual(info?.updatedAt, new Date(start + 60_000));
    });

    spec.clocked('L6 decides when a lease that nobody renews has run out', async ({ clock, store }) => {
      await createAgent(store, 'a');
      const lease = await store.acquireAgentLock('a', { ttlMs: 15_000 });
      assert.deepEqual(lease.expiresAt, new Date(clock.now() + 15_000));
      await clock.pause(14_999);
      await assert.rejects(store.acquireAgentLock('a'), { code: 'LOCK_TIMEOUT' });
      await clock.pause(1);
      await store.acquireAgentLock('a');
    });
  });
}
