import assert from 'node:assert/strict';
import { KodeError } from '../errors.ts';
import type { ExtendedStore } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { conversation, createAgent, user } from './samples.ts';
import { randomWorkload } from './workload.ts';

export function healthSpec(spec: Spec): void {
  spec.describe('health', () => {
    healthCheck(spec);
    consistency(spec);
    metrics(spec);
    backups(spec);
  });
}

function healthCheck(spec: Spec): void {
  spec.extended('is good while the database answers', async ({ store }) => {
    for (const messages of [[], conversation(3)]) {
      await createAgent(store, `with ${messages.length}`, messages);
      const report = await store.healthCheck();
      assert.equal(report.healthy, true);
      assert.equal(report.database.connected, true);
      assert.ok(report.database.latencyMs >= 0);
      assert.equal(report.fileSystem.writable, true);
      assert.ok(Math.abs(report.checkedAt.getTime() - Date.now()) < 60_000);
    }
  });
}

function consistency(spec: Spec): void {
  async function consistent(store: ExtendedStore, agentId?: string): Promise<void> {
    const report = await store.checkConsistency(agentId);
    assert.deepEqual(report.issues, []);
    assert.equal(report.consistent, true);
    assert.ok(report.checkedAt instanceof Date);
  }

  spec.extended('holds in an empty database', async ({ store }) => consistent(store));

  for (const seed of [1, 2, 3]) {
    spec.extended(
      `holds after a random day's work (${seed})`,
      async (context) => {
        await randomWorkload([context.store], seed, 150);
        await consistent(context.store);
        const store = await context.reopen();
        await consistent(store);
        for (const id of (await store.list()).slice(0, 5)) await consistent(store, id);
      },
      60_000,
    );
  }

  spec.shared(
    'holds after a random work of several stores at once',
    async (context) => {
      const stores = [context.store, await context.another()];
      await Promise.all(stores.map((store, n) => randomWorkload([store], 10 + n, 80)));
      await consistent(context.store);
    },
    60_000,
  );

  spec.extended('holds after everything is deleted', async (context) => {
    await randomWorkload([context.store], 4, 60);
    for (const id of await context.store.list()) await context.store.delete(id);
    await consistent(await context.reopen());
  });
}

function metrics(spec: Spec): void {
  spec.extended('count each operation and its errors', async ({ store }) => {
    await createAgent(store, 'a');
    await store.commit('a', { messages: [user('x')] });
    for (let n = 0; n < 3; n += 1) await store.loadMessages('a');
    await assert.rejects(store.loadMessages('nobody'));
    const { operations, startedAt } = store.getMetrics();
    assert.ok(startedAt instanceof Date && startedAt.getTime() <= Date.now());
    assert.equal(operations.commit?.count, 2);
    assert.equal(operations.commit?.errors, 0);
    assert.equal(operations.loadMessages?.count, 4);
    assert.equal(operations.loadMessages?.errors, 1);
    for (const { latencyMs } of Object.values(operations)) {
      const { p50, p95, p99, max } = latencyMs;
      assert.ok(p50 >= 0 && p50 <= p95 && p95 <= p99 && p99 <= max, JSON.stringify(latencyMs));
    }
  });

  spec.extended('count the leases that are held', async (context) => {
    const { store } = context;
    assert.equal(store.getMetrics().leasesHeld, 0);
    await createAgent(store, 'a');
    await createAgent(store, 'b');
    const lease = await store.acquireAgentLock('a');
    await store.acquireAgentLock('b');
    assert.equal(store.getMetrics().leasesHeld, 2);
    await lease.release();
    assert.equal(store.getMetrics().leasesHeld, 1);
    assert.equal((await context.reopen()).getMetrics().leasesHeld, 0);
  });
}

function backups(spec: Spec): void {
  // That a copy holds everything is for the backend's own tests: only they know how to open one.
  spec.extended('includes backups where the backend has them', async ({ store, backend }) => {
    await createAgent(store, 'a', conversation(3));
    if (!backend.capabilities.backup) {
      await assert.rejects(store.backup(), KodeError);
      return;
    }
    const writing = Array.from({ length: 20 }, () => store.appendMessages('a', [user('meanwhile')]));
    const [first, second] = [await store.backup(), await store.backup()];
    assert.ok(first !== '' && second !== '');
    await Promise.all(writing);
    assert.equal((await store.loadMessages('a')).length, 23);
  });
}
