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

    spec.test(
      'one that awaits approval although it has a result is decided on each side',
      async (context) => {
        await createAgent(context.store, 'a', [user('x'), asks('ask')]);
        await context.store.saveToolCallRecords('a', [{ toolCallId: 'ask', state: 'approval_required' }]);
        await context.store.appendMessages('a', [answers('ask')]);
        const fork = await context.store.fork('a');
        const store = await context.reopen();
        assert.deepEqual(await callLines(store, fork), ['0 ask approval_required']);
        assert.equal((await store.loadInfo(fork))?.status, 'idle');
        await store.decideApproval(fork, 'ask', { decision: 'allow' });
        const again = await context.reopen();
        assert.deepEqual(await callLines(again, fork), ['0 ask approved']);
        assert.deepEqual(await callLines(again, 'a'), ['0 ask approval_required']);
        await again.decideApproval('a', 'ask', { decision: 'deny' });
        assert.deepEqual(await callLines(again, fork), ['0 ask approved']);
      },
    );

    spec.test("of a snapshot's own messages, those without a result there are sealed", async (context) => {
      await createAgent(context.store, 'a', [user('x')]);
      const messages = [user('y'), asks('one'), answers('one'), asks('two')];
      await context.store.saveSnapshot('a', { id: 's', messages });
      const fork = await context.store.fork('a', { at: 's' });
      const store = await context.reopen();
      assert.deepEqual(await callLines(store, fork), ['0 one pending', '1 two sealed']);
      await done(store, fork, 'one', 1);
      assert.deepEqual(await callLines(await context.reopen(), fork), ['0 one completed 1', '1 two sealed']);
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

    spec.test(
      'one that a record alone opened belongs to forks that have a call after it',
      async ({ store, reopen }) => {
        await createAgent(store, 'a', [user('x'), asks('one'), answers('one')]);
        const opens = (toolCallId: string, state: 'executing' | 'completed' | 'approval_required') =>
          store.saveToolCallRecords('a', [{ toolCallId, toolName: 'search', state }]);
        await done(store, 'a', 'one', 1);
        await opens('running', 'executing');
        await opens('ended', 'completed');
        await opens('asking', 'approval_required');
        await store.appendMessages('a', [asks('two'), answers('two'), user('y')]);
        await done(store, 'a', 'two', 2);
        await opens('last', 'executing');
        await store.saveSnapshot('a', { id: 's' });
        for (const at of [3, 4, 5, 's', 6]) await store.fork('a', { at, agentId: `at ${at}` });
        const again = await reopen();
        const beside = [
          '0 one completed 1',
          '1 running sealed',
          '2 ended completed',
          '3 asking approval_required',
        ];
        assert.deepEqual(await callLines(again, 'at 3'), ['0 one completed 1']);
        assert.deepEqual(await callLines(again, 'at 4'), [...beside, '4 two sealed']);
        for (const id of ['at 5', 'at s']) {
          assert.deepEqual(await callLines(again, id), [...beside, '4 two completed 2']);
        }
        assert.deepEqual(await callLines(again, 'at 6'), [...beside, '4 two completed 2', '5 last sealed']);
        assert.equal((await again.loadInfo('at 5'))?.status, 'awaiting_approval');
        await again.appendMessages('at 3', [asks('next')]);
        await again.appendMessages('at 5', [asks('next')]);
        assert.equal((await callLines(again, 'at 3')).at(-1), '1 next pending');
        assert.equal((await callLines(await reopen(), 'at 5')).at(-1), '5 next pending');
      },
    );

    spec.test(
      'of several that records opened beforehand, a fork has those asked for',
      async ({ store, reopen }) => {
        await createAgent(store, 'a', [user('x')]);
        const records = ['one', 'two', 'three'].map((toolCallId) => {
          return { toolCallId, toolName: 'search', state: 'completed', output: 0 } as const;
        });
        await store.saveToolCallRecords('a', records);
        await store.appendMessages('a', [
          asks('one'),
          answers('one'),
          asks('two'),
          answers('two'),
          asks('three'),
        ]);
        for (const at of [1, 2, 3, 4, 5]) await store.fork('a', { at, agentId: `at ${at}` });
        const again = await reopen();
        assert.deepEqual(await callLines(again, 'at 1'), []);
        assert.deepEqual(await callLines(again, 'at 2'), ['0 one sealed']);
        assert.deepEqual(await callLines(again, 'at 3'), ['0 one completed 0']);
        assert.deepEqual(await callLines(again, 'at 4'), ['0 one completed 0', '1 two sealed']);
        assert.deepEqual(await callLines(again, 'at 5'), ['0 one completed 0', '1 two completed 0']);
      },
    );

    spec.test(
      'one that a record alone opened outlives the parent, and a rewrite after it',
      async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [user('x'), asks('one'), answers('one')]);
        await done(store, 'a', 'one', 1);
        await store.saveToolCallRecords('a', [
          { toolCallId: 'beside', toolName: 'search', state: 'completed' },
        ]);
        await store.appendMessages('a', [
          user('y'),
          asks('two'),
          answers('two'),
          user('z'.repeat(1_000_000)),
        ]);
        await store.fork('a', { agentId: 'b', at: 6 });
        const kept = (await store.loadMessages('b')).slice(0, 4);
        await store.saveMessages('b', [...kept, user('instead')]);
        const expected = ['0 one completed 1', '1 beside completed'];
        assert.deepEqual(await callLines(store, 'b'), expected);
        await store.delete('a');
        const again = await context.reopen();
        assert.deepEqual(await callLines(again, 'b'), expected);
        await again.appendMessages('b', [asks('three')]);
        assert.deepEqual(await callLines(await context.reopen(), 'b'), [...expected, '2 three pending']);
      },
    );

    spec.test('one that a record names the message of belongs to forks that have it', async (context) => {
      const { store } = context;
      await createAgent(store, 'a', [user('x'), assistant('asks in its own way')]);
      const record = { toolCallId: 'call', toolName: 'search', state: 'completed', messageSeq: 1 } as const;
      await store.saveToolCallRecords('a', [record]);
      await store.appendMessages('a', [user('y'), asks('one'), answers('one')]);
      for (const at of [1, 2, 3, 5]) await store.fork('a', { at, agentId: `at ${at}` });
      const again = await context.reopen();
      assert.deepEqual(await ids(again, 'at 1'), []);
      assert.deepEqual(await ids(again, 'at 2'), ['call']);
      assert.deepEqual(await ids(again, 'at 3'), ['call']);
      assert.deepEqual(await ids(again, 'at 5'), ['call', 'one']);
    });

    spec.test(
      'a sealed one that no message asked for is not the call of a later one',
      async ({ store, reopen }) => {
        await createAgent(store, 'a', [user('x')]);
        await store.saveToolCallRecords('a', [
          { toolCallId: 'call', toolName: 'search', state: 'executing' },
        ]);
        await store.fork('a', { agentId: 'b' });
        for (const id of ['a', 'b']) await store.appendMessages(id, [asks('call')]);
        await done(store, 'b', 'call', 'of b');
        const again = await reopen();
        assert.deepEqual(await callLines(again, 'a'), ['0 call executing']);
        assert.deepEqual(await callLines(again, 'b'), ['0 call sealed', '1 call completed of b']);
      },
    );

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
