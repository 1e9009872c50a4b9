import assert from 'node:assert/strict';
import type { Store } from '../store/store.ts';
import { callLines, completes } from './call-checks.ts';
import type { Spec } from './harness.ts';
import { answers, asks, assistant, createAgent, sameJson, user } from './samples.ts';

/** Which calls a fork has, and that no change on one side shows on the other. */
export function forkToolCallsSpec(spec: Spec): void {
  spec.describe('tool calls of forks', () => {
    /** Messages 0 to 4: `one` is asked for and answered, then `two` and `three`. */
    async function steps(store: Store): Promise<void> {
      await createAgent(store, 'a', [user('x'), asks('one')]);
      await done(store, 'a', 'one', 1);
      await store.commit('a', { messages: [answers('one'), asks('two', 'three')] });
      await done(store, 'a', 'two', 2);
      await done(store, 'a', 'three', 3);
      await store.appendMessages('a', [answers('two', 'three')]);
    }

    spec.test("those whose result lies before its position are the fork's as they are", async (context) => {
      await steps(context.store);
      const fork = await context.store.fork('a');
      const store = await context.reopen();
      assert.deepEqual(await store.loadToolCallRecords(fork), await store.loadToolCallRecords('a'));
      assert.deepEqual(await callLines(store, fork), [
        '0 one completed 1',
        '1 two completed 2',
        '2 three completed 3',
      ]);
    });

    spec.test('those asked for at or after its position are not', async (context) => {
      await steps(context.store);
      for (const at of [0, 1, 3]) await context.store.fork('a', { at, agentId: `at ${at}` });
      const store = await context.reopen();
      assert.deepEqual(await callLines(store, 'at 0'), []);
      assert.deepEqual(await callLines(store, 'at 1'), []);
      assert.deepEqual(await callLines(store, 'at 3'), ['0 one completed 1']);
    });

    spec.test(
      "those whose result doesn't lie before it are sealed, even where they are over",
      async (context) => {
        await steps(context.store);
        const fork = await context.store.fork('a', { at: 4 });
        const store = await context.reopen();
        assert.deepEqual(await callLines(store, fork), [
          '0 one completed 1',
          '1 two sealed',
          '2 three sealed',
        ]);
        for (const call of (await store.loadToolCallRecords(fork)).slice(1)) {
          assert.ok(!('output' in call));
          assert.equal(call.isError, true);
          assert.match(call.error ?? '', /fork/);
          assert.equal(call.messageSeq, 3);
          assert.equal(call.toolName, 'search');
        }
        assert.deepEqual(await callLines(store, 'a'), [
          '0 one completed 1',
          '1 two completed 2',
          '2 three completed 3',
        ]);
      },
    );

    spec.test(
      'open ones are sealed when the whole conversation is forked, and stay open in it',
      async (context) => {
        await createAgent(context.store, 'a', [user('x'), asks('pending', 'executing')]);
        await context.store.saveToolCallRecords('a', [{ toolCallId: 'executing', state: 'executing' }]);
        const fork = await context.store.fork('a');
        const store = await context.reopen();
        assert.deepEqual(await callLines(store, fork), ['0 pending sealed', '1 executing sealed']);
        assert.deepEqual(await callLines(store, 'a'), ['0 pending pending', '1 executing executing']);
        await done(store, 'a', 'executing', 'late');
        assert.deepEqual(await callLines(await context.reopen(), fork), [
          '0 pending sealed',
          '1 executing sealed',
        ]);
      },
    );

    spec.test('one that awaits approval is copied open, and decided on each side', async (context) => {
      await createAgent(context.store, 'a', [user('x'), asks('ask', 'run')], { status: 'awaiting_approval' });
      await context.store.saveToolCallRecords('a', [{ toolCallId: 'ask', state: 'approval_required' }]);
      const fork = await context.store.fork('a');
      const other = await context.store.fork('a', { at: 1 });
      let store = await context.reopen();
      assert.deepEqual(await callLines(store, fork), ['0 ask approval_required', '1 run sealed']);
      assert.equal((await store.loadInfo(fork))?.status, 'awaiting_approval');
      assert.equal((await store.loadInfo(other))?.status, 'idle');

      await store.decideApproval(fork, 'ask', { decision: 'allow', by: 'ann' });
      store = await context.reopen();
      assert.deepEqual(await callLines(store, 'a'), ['0 ask approval_required', '1 run pending']);
      await store.decideApproval('a', 'ask', { decision: 'deny', by: 'bob' });
      store = await context.reopen();
      assert.deepEqual(await callLines(store, fork), ['0 ask approved', '1 run sealed']);
      assert.deepEqual(await callLines(store, 'a'), ['0 ask denied', '1 run pending']);
      const [copy] = await store.loadToolCallRecords(fork);
      assert.deepEqual([copy?.approval.required, copy?.approval.decidedBy], [true, 'ann']);
    });

    spec.test('ordinals go on after the inherited ones', async (context) => {
      await steps(context.store);
      await context.store.fork('a', { at: 3, agentId: 'b' });
      await context.store.appendMessages('b', [asks('four')]);
      await context.store.appendMessages('a', [asks('five')]);
      const store = await context.reopen();
      assert.deepEqual(await callLines(store, 'b'), ['0 one completed 1', '1 four pending']);
      assert.equal((await callLines(store, 'a')).at(-1), '3 five pending');
    });

    spec.test('one toolCallId is a call on each side', async (context) => {
      await steps(context.store);
      await context.store.fork('a', { at: 3, agentId: 'b' });
      await context.store.fork('a', { at: 3, agentId: 'c' });
      for (const [id, output] of Object.entries({ b: 'of b', c: 'of c' })) {
        await context.store.appendMessages(id, [asks('two', 'one')]);
        await done(context.store, id, 'two', output);
        await done(context.store, id, 'one', output);
      }
      const store = await context.reopen();
      for (const id of ['b', 'c']) {
        assert.deepEqual(await callLines(store, id), [
          '0 one completed 1',
          `1 two completed of ${id}`,
          `2 one completed of ${id}`,
        ]);
      }
      assert.deepEqual(await callLines(store, 'a'), [
        '0 one completed 1',
        '1 two completed 2',
        '2 three completed 3',
      ]);
    });

    spec.test("an inherited call that no record ended is each side's own to end", async (context) => {
      await createAgent(context.store, 'a', [user('x'), asks('one'), answers('one'), assistant('done')]);
      await context.store.fork('a', { agentId: 'b' });
      await context.store.fork('a', { agentId: 'c' });
      const untouched = await context.store.loadToolCallRecords('c');
      await done(context.store, 'a', 'one', 'of a');
      const store = await context.reopen();
      assert.deepEqual(await callLines(store, 'a'), ['0 one completed of a']);
      assert.deepEqual(await store.loadToolCallRecords('c'), untouched);
      assert.notDeepEqual(await callLines(store, 'b'), ['0 one completed of a']);
    });

    spec.test('one that a record alone opened belongs to forks of the whole', async (context) => {
      await createAgent(context.store, 'a', [user('x'), asks('one'), answers('one')]);
      const record = { toolCallId: 'beside', toolName: 'search', state: 'executing' } as const;
      await context.store.saveToolCallRecords('a', [record]);
      await context.store.fork('a', { agentId: 'whole' });
      await context.store.fork('a', { agentId: 'counted', at: 3 });
      await context.store.fork('a', { agentId: 'part', at: 2 });
      const store = await context.reopen();
      assert.deepEqual(await ids(store, 'whole'), ['one', 'beside']);
      assert.deepEqual(await ids(store, 'counted'), ['one', 'beside']);
      assert.deepEqual(await ids(store, 'part'), ['one']);
      await store.appendMessages('part', [asks('next')]);
      assert.deepEqual(await ids(await context.reopen(), 'part'), ['one', 'next']);
    });

    spec.test('a fork of a fork has what both have before its position', async (context) => {
      await steps(context.store);
      const { store } = context;
      await store.fork('a', { at: 4, agentId: 'b' });
      await store.appendMessages('b', [answers('two', 'three'), asks('four')]);
      await done(store, 'b', 'four', 4);
      await store.appendMessages('b', [answers('four'), asks('five')]);
      await store.fork('b', { agentId: 'c' });
      await store.fork('b', { at: 6, agentId: 'd' });
      await store.fork('b', { at: 2, agentId: 'e' });
      const again = await context.reopen();
      const sealed = ['0 one completed 1', '1 two sealed', '2 three sealed'];
      assert.deepEqual(await callLines(again, 'c'), [...sealed, '3 four completed 4', '4 five sealed']);
      assert.deepEqual(await callLines(again, 'd'), [...sealed, '3 four sealed']);
      assert.deepEqual(await callLines(again, 'e'), ['0 one sealed']);
      assert.deepEqual(await callLines(again, 'b'), [...sealed, '3 four completed 4', '4 five pending']);
    });

    spec.test('a rewritten result is missing again', async (context) => {
      await steps(context.store);
      const { store } = context;
      const messages = await store.loadMessages('a');
      await store.saveMessages('a', [...messages.slice(0, 4), user('never mind')]);
      await store.fork('a', { agentId: 'b' });
      assert.deepEqual(await callLines(await context.reopen(), 'b'), [
        '0 one completed 1',
        '1 two sealed',
        '2 three sealed',
      ]);
    });

    spec.test('a repeated id: each result answers the call before it', async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [asks('again')]);
      await done(store, 'a', 'again', 1);
      await store.appendMessages('a', [answers('again'), asks('again')]);
      await done(store, 'a', 'again', 2);
      await store.appendMessages('a', [answers('again')]);
      await store.fork('a', { at: 3, agentId: 'b' });
      await store.fork('a', { agentId: 'c' });
      const again = await context.reopen();
      assert.deepEqual(await callLines(again, 'b'), ['0 again completed 1', '1 again sealed']);
      assert.deepEqual(await callLines(again, 'c'), ['0 again completed 1', '1 again completed 2']);
    });

    spec.extended('are found by a query of the fork', async ({ store, reopen }) => {
      await steps(store);
      await store.fork('a', { at: 4, agentId: 'b' });
      const again = await reopen();
      const found = await again.queryToolCalls({ agentId: 'b', order: 'asc' });
      sameJson(
        found.map(({ agentId, callSeq, state }) => [agentId, callSeq, state]),
        [
          ['b', 0, 'completed'],
          ['b', 1, 'sealed'],
          ['b', 2, 'sealed'],
        ],
      );
    });
  });
}

async function done(store: Store, agentId: string, toolCallId: string, output: unknown): Promise<void> {
  await completes(store, agentId, { toolCallId, output });
}

async function ids(store: Store, agentId: string): Promise<string[]> {
  return (await store.loadToolCallRecords(agentId)).map(({ toolCallId }) => toolCallId);
}
