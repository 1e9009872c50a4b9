import assert from 'node:assert/strict';
import { completes, outputsOfA, placesOfA } from './call-checks.ts';
import type { Spec } from './harness.ts';
import { answers, asks, createAgent, refused, user } from './samples.ts';

/** Models give one id to several calls of a conversation: each stays a call of its own. */
export function repeatedCallIdsSpec(spec: Spec): void {
  spec.describe('tool calls whose id repeats', () => {
    spec.test('are calls of their own, one after the other', async (context) => {
      await createAgent(context.store, 'a');
      for (let n = 0; n < 5; n++) {
        await context.store.commit('a', {
          messages: [asks('again')],
          toolCalls: [{ toolCallId: 'again', state: 'executing' }],
        });
        await context.store.commit('a', {
          messages: [answers('again')],
          toolCalls: [{ toolCallId: 'again', state: 'completed', output: n }],
        });
      }
      assert.deepEqual(await outputsOfA(context), [0, 1, 2, 3, 4]);
    });

    spec.test('are calls of their own within one message', async (context) => {
      await createAgent(context.store, 'a', [asks('a', 'a')]);
      assert.deepEqual(await placesOfA(context), [
        ['a', 0, 0],
        ['a', 1, 0],
      ]);
    });

    spec.test('are addressed newest open one first', async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [asks('a'), asks('a')]);
      await completes(store, 'a', { toolCallId: 'a', output: 'of the newer' });
      await completes(store, 'a', { toolCallId: 'a', output: 'of the older' });
      assert.deepEqual(await outputsOfA(context), ['of the older', 'of the newer']);
    });

    spec.test('are addressed the newest when none is open', async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [asks('a'), asks('a')]);
      await completes(store, 'a', { toolCallId: 'a', output: 2 });
      await completes(store, 'a', { toolCallId: 'a', output: 1 });
      await completes(store, 'a', { toolCallId: 'a', output: 2 });
      await refused(completes(store, 'a', { toolCallId: 'a', output: 1 }));
      assert.deepEqual(await outputsOfA(context), [1, 2]);
    });

    spec.test('are told apart by callSeq', async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [asks('a', 'a', 'a')]);
      await completes(store, 'a', { toolCallId: 'a', callSeq: 1, output: 'middle' });
      await completes(store, 'a', { toolCallId: 'a', callSeq: 0, output: 'first' });
      await refused(completes(store, 'a', { toolCallId: 'a', callSeq: 3, output: 'none' }), 'callSeq');
      assert.deepEqual(await outputsOfA(context), ['first', 'middle', undefined]);
    });

    spec.test("in two agents don't know each other", async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [asks('same')]);
      await createAgent(store, 'b', [user('x'), asks('same', 'other')]);
      await completes(store, 'a', { toolCallId: 'same', output: 'of a' });
      assert.deepEqual(await outputsOfA(context), ['of a']);
      assert.deepEqual(
        (await context.store.loadToolCallRecords('b')).map(({ state }) => state),
        ['pending', 'pending'],
      );
    });
  });
}
