import assert from 'node:assert/strict';
import { VersionConflictError } from '../errors.ts';
import type { TurnCommit } from '../model/agent.ts';
import type { Spec } from './harness.ts';
import { collect, conversation, createAgent, progress, refused, sameJson, user } from './samples.ts';

/** A commit repeated under its `operationId` is stored once and answered alike. */
export function operationsSpec(spec: Spec): void {
  spec.describe('a repeated operationId', () => {
    const step = (): TurnCommit => ({
      messages: [user('once')],
      events: [progress('once')],
      toolCalls: [{ toolCallId: 'once', toolName: 'search' }],
      operationId: 'step-1',
    });

    spec.test('returns the first result and stores nothing', async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('start')]);
      const first = await store.commit('a', step());
      assert.deepEqual(first, { version: 2, messageCount: 2, cursor: 1 });
      assert.deepEqual(await store.commit('a', step()), first);
      const again = await reopen();
      assert.deepEqual(await again.commit('a', step()), first);
      const { info, messages, toolCalls } = await again.loadAgent('a');
      assert.equal(info.version, 2);
      sameJson(messages, [user('start'), user('once')]);
      assert.equal(toolCalls.length, 1);
      assert.equal((await collect(again.readEvents('a'))).length, 1);
    });

    spec.test('whatever happened in between', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const first = await store.commit('a', step());
      await store.commit('a', { messages: [user('two')], operationId: 'step-2' });
      await store.appendEvent('a', progress('later'));
      await store.saveMessages('a', [user('rewritten')]);
      await store.fork('a');
      assert.deepEqual(await store.commit('a', step()), first);
      const again = await reopen();
      assert.deepEqual(await again.commit('a', step()), first);
      sameJson(await again.loadMessages('a'), [user('rewritten')]);
    });

    spec.test('also before the version is looked at', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const change = { ...step(), expectedVersion: 1 };
      const first = await store.commit('a', change);
      await store.commit('a', { messages: [user('two')] });
      assert.deepEqual(await store.commit('a', change), first);
      assert.equal((await (await reopen()).loadMessages('a')).length, 2);
    });

    spec.test('also while another holds the lease', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const first = await store.commit('a', step());
      const lease = await store.acquireAgentLock('a');
      assert.deepEqual(await store.commit('a', step()), first);
      await lease.release();
      assert.equal((await (await reopen()).loadMessages('a')).length, 1);
    });

    spec.test('also of the commit that created the agent', async ({ store, reopen }) => {
      const change: TurnCommit = {
        info: { userId: 'u' },
        messages: conversation(2),
        expectedVersion: 0,
        operationId: 'create',
      };
      const first = await store.commit('a', change);
      await store.commit('a', { messages: [user('next')] });
      assert.deepEqual(await store.commit('a', change), first);
      const again = await reopen();
      assert.deepEqual(await again.commit('a', change), first);
      assert.equal((await again.loadMessages('a')).length, 3);
    });

    spec.test('also of a commit of events alone', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const change: TurnCommit = { events: [progress('x'), progress('y')], operationId: 'events' };
      const first = await store.commit('a', change);
      assert.deepEqual(first, { version: 1, messageCount: 0, cursor: 2 });
      await store.appendEvent('a', progress('z'));
      assert.deepEqual(await store.commit('a', change), first);
      const again = await reopen();
      assert.deepEqual(await again.commit('a', change), first);
      assert.equal((await collect(again.readEvents('a'))).length, 3);
    });

    spec.test('at one moment is stored once', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const results = await Promise.all(Array.from({ length: 8 }, () => store.commit('a', step())));
      for (const result of results) assert.deepEqual(result, results[0]);
      assert.equal((await (await reopen()).loadMessages('a')).length, 1);
    });

    spec.shared('at one moment in two stores is stored once', async (context) => {
      const { store } = context;
      await createAgent(store, 'a');
      const other = await context.another();
      for (let round = 0; round < 10; round++) {
        const change = { messages: [user(`${round}`)], operationId: `round-${round}` };
        const [one, two] = await Promise.all([store.commit('a', change), other.commit('a', change)]);
        assert.deepEqual(one, two);
      }
      assert.equal((await (await context.reopen()).loadMessages('a')).length, 10);
    });

    spec.test('with another change is refused', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await store.commit('a', step());
      await refused(store.commit('a', { ...step(), messages: [user('other')] }), 'operationId');
      await refused(store.commit('a', { ...step(), events: [] }), 'operationId');
      const again = await reopen();
      await refused(again.commit('a', { messages: [user('other')], operationId: 'step-1' }), 'operationId');
      sameJson(await again.loadMessages('a'), [user('once')]);
    });

    spec.test('of a refused commit is free', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const bad = { ...step(), toolCalls: [{ toolCallId: 'nameless' }] };
      await refused(store.commit('a', bad), 'toolName');
      await assert.rejects(store.commit('a', { ...step(), expectedVersion: 7 }), VersionConflictError);
      await store.commit('a', step());
      sameJson(await (await reopen()).loadMessages('a'), [user('once')]);
    });

    spec.test('belongs to its agent', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await createAgent(store, 'b', [user('b')]);
      await store.commit('a', step());
      assert.deepEqual(await store.commit('b', step()), { version: 2, messageCount: 2, cursor: 1 });
      const fork = await store.fork('a');
      await store.commit(fork, step());
      const again = await reopen();
      assert.equal((await again.loadMessages('b')).length, 2);
      assert.equal((await again.loadMessages(fork)).length, 2);
    });

    spec.test('compares bytes and has 1 to 255 of them', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      for (const operationId of ['Op', 'op', 'op ', 'op/1', 'é'.repeat(127)]) {
        await store.commit('a', { messages: [user(operationId)], operationId });
      }
      for (const operationId of ['', 'x'.repeat(256), 'a\u0000b', '\ud800']) {
        await refused(store.commit('a', { messages: [user('no')], operationId }), 'operationId');
      }
      assert.equal((await (await reopen()).loadMessages('a')).length, 5);
    });

    spec.test(
      'is remembered for a thousand commits',
      async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const first = await store.commit('a', step());
        for (let n = 0; n < 999; n += 111) {
          await Promise.all(
            Array.from({ length: 111 }, (_, k) =>
              store.commit('a', { events: [progress('x')], operationId: `later-${n + k}` }),
            ),
          );
        }
        assert.deepEqual(await (await reopen()).commit('a', step()), first);
      },
      60_000,
    );
  });
}
