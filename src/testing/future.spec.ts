import assert from 'node:assert/strict';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { createAgent, everything, progress, refused, user, wrong } from './samples.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

function ahead(ms: number): Date {
  return new Date(Date.now() + ms);
}

/** One instant in the future would be the floor of all later ones of its agent. */
export function futureSpec(spec: Spec): void {
  spec.describe('instants in the future', () => {
    spec.test('X6 are refused beyond 5 minutes, by name, and nothing is stored', async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [user('x')]);
      const before = await everything(store);
      for (const at of [ahead(6 * MINUTE), ahead(3 * DAY), new Date(8.64e15)]) {
        await refused(store.commit('a', { messages: [user('y')], at }), 'at');
        await refused(store.commit('a', { messages: [user('y'), user('z')], at: [new Date(), at] }), 'at');
        await refused(store.commit('a', { events: [progress('x')], at }), 'at');
        await refused(store.commit('a', { info: { status: 'running' }, at, operationId: 'o' }), 'at');
        await refused(store.commit('b', { info: {}, at, expectedVersion: 0 }), 'at');
      }
      assert.equal(await everything(await context.reopen()), before);
    });

    spec.test('X6 are taken up to 5 minutes, for clocks that differ a little', async ({ store }) => {
      await createAgent(store, 'a');
      const at = ahead(4 * MINUTE);
      await store.commit('a', { messages: [user('y')], events: [progress('x')], at });
      assert.deepEqual((await store.loadInfo('a'))?.updatedAt, at);
    });

    spec.test('X6 are taken where the commit says so', async ({ store }) => {
      const at = ahead(3 * DAY);
      const change = { info: {}, messages: [user('x')], at, operationId: 'o', expectedVersion: 0 };
      const first = await store.commit('a', { ...change, allowFuture: true });
      assert.deepEqual((await store.loadInfo('a'))?.createdAt, at);
      // It says nothing of what is changed: the same operation is repeated with it and without.
      assert.deepEqual(await store.commit('a', { ...change, allowFuture: true }), first);
      await refused(store.commit('a', { allowFuture: wrong('yes') }), 'allowFuture');
      await refused(store.commit('a', wrong({ allowfuture: true })), 'change.allowfuture');
    });

    durations(spec);
  });
}

function durations(spec: Spec): void {
  const run = async (store: Store, state: 'executing' | 'completed' | 'failed') => {
    await store.saveToolCallRecords('a', [{ toolCallId: 'x', toolName: 'search', state }]);
    return (await store.loadToolCallRecords('a'))[0];
  };

  spec.clocked(
    'X6 a call takes as long as it takes, whatever its stamps were raised to',
    async ({ clock, store }) => {
      const at = new Date(clock.now() + 3 * DAY);
      await store.commit('a', { info: {}, at, allowFuture: true, expectedVersion: 0 });
      await run(store, 'executing');
      await clock.advance(700);
      const call = await run(store, 'completed');
      assert.deepEqual([call?.startedAt, call?.completedAt], [at, at]);
      assert.equal(call?.durationMs, 700);
    },
  );

  spec.clocked(
    'X6 a call that began before an instant in the future takes no days',
    async ({ clock, store }) => {
      await createAgent(store, 'a');
      await run(store, 'executing');
      await clock.advance(300);
      const at = new Date(clock.now() + 3 * DAY);
      await store.commit('a', { events: [progress('x')], at, allowFuture: true });
      await clock.advance(300);
      assert.equal((await run(store, 'failed'))?.durationMs, 600);
    },
  );

  spec.clocked('X6 how long a call took is left open where nobody can know', async (context) => {
    const { clock, store } = context;
    const at = new Date(clock.now() + 3 * DAY);
    await store.commit('a', { info: {}, at, allowFuture: true, expectedVersion: 0 });
    await run(store, 'executing');
    await clock.advance(700);
    const call = await run(await context.reopen(), 'completed');
    assert.ok(call && call.state === 'completed' && !('durationMs' in call));
  });

  spec.clocked(
    'X6 a call takes as long as its stamps say where they are as they were',
    async ({ clock, store }) => {
      await createAgent(store, 'a');
      await run(store, 'executing');
      await clock.advance(1_500);
      const call = await run(store, 'completed');
      assert.ok(call?.startedAt && call.completedAt);
      assert.equal(call.completedAt.getTime() - call.startedAt.getTime(), 1_500);
      assert.equal(call.durationMs, 1_500);
    },
  );
}
