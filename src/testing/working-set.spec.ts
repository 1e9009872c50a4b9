import assert from 'node:assert/strict';
import type { WorkingSet } from '../model/agent.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { answers, asks, conversation, createAgent, sameJson, user } from './samples.ts';

const SUMMARY = [user('so far')];

export function workingSetSpec(spec: Spec): void {
  spec.describe('loadWorkingSet and loadOpenCalls', () => {
    /** Agrees with what everything else says; `open` are the ordinals of the calls that are open. */
    async function agrees(store: Store, id: string, open: number[]): Promise<WorkingSet> {
      const { info, messages, openCalls, callCount, todos, compaction } = await store.loadWorkingSet(id);
      const whole = await store.loadAgent(id);
      assert.deepEqual({ info, todos, compaction }, pick(whole));
      sameJson(messages, whole.messages.slice(compaction?.seq ?? 0), id);
      sameJson([...(compaction?.messages ?? []), ...messages], await store.loadContext(id), id);
      assert.deepEqual(
        openCalls.map((call) => call.callSeq),
        open,
        id,
      );
      assert.deepEqual(
        openCalls,
        whole.toolCalls.filter((call) => open.includes(call.callSeq)),
      );
      assert.deepEqual(await store.loadOpenCalls(id), openCalls);
      assert.equal(callCount, whole.toolCalls.length);
      return { info, messages, openCalls, callCount, todos, ...(compaction && { compaction }) };
    }

    function pick({ info, todos, compaction }: Omit<WorkingSet, 'openCalls' | 'callCount'>) {
      return { info, todos, compaction };
    }

    spec.test('M5 are little for an agent that has done nothing', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const { messages, callCount } = await agrees(await reopen(), 'a', []);
      assert.deepEqual([messages, callCount], [[], 0]);
    });

    spec.test('M5 have nothing of what was compacted away or answered', async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('x'), asks('one', 'two'), answers('two', 'one')]);
      await store.saveTodos('a', { todos: ['look'] });
      await store.commit('a', { compaction: { seq: 1, messages: [user('an older one')] } });
      await store.commit('a', { compaction: { seq: 3, messages: SUMMARY } });
      await agrees(store, 'a', []);
      await store.appendMessages('a', [user('more'), asks('three', 'four')]);
      const { messages } = await agrees(await reopen(), 'a', [2, 3]);
      assert.equal(messages.length, 2);
    });

    spec.test('M5 have open calls from before the last compaction', async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('x'), asks('one', 'two', 'three'), answers('two')]);
      await store.commit('a', {
        toolCalls: [{ toolCallId: 'three', state: 'approval_required' }],
        compaction: { seq: 3, messages: SUMMARY },
      });
      await agrees(store, 'a', [0, 2]);
      await store.decideApproval('a', 'three', { decision: 'deny' });
      const again = await reopen();
      const { openCalls } = await agrees(again, 'a', [0, 2]);
      assert.deepEqual(
        openCalls.map(({ state }) => state),
        ['pending', 'denied'],
      );
      await again.appendMessages('a', [answers('three', 'one')]);
      await agrees(again, 'a', []);
    });

    spec.test('M5 tell repeated call ids apart', async ({ store, reopen }) => {
      await createAgent(store, 'a', [asks('c', 'c'), answers('c', 'c'), asks('c', 'c', 'c'), answers('c')]);
      await agrees(await reopen(), 'a', [3, 4]);
    });

    spec.test('M5 have calls that no message asked for until they end', async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('x')]);
      await store.saveToolCallRecords('a', [
        { toolCallId: 'one', toolName: 'search' },
        { toolCallId: 'two', toolName: 'search', state: 'completed', output: 1 },
        { toolCallId: 'three', toolName: 'search', state: 'executing' },
      ]);
      await agrees(store, 'a', [0, 2]);
      await store.appendMessages('a', [asks('two')]);
      await agrees(store, 'a', [0, 1, 2]);
      await store.appendMessages('a', [answers('two')]);
      await agrees(await reopen(), 'a', [0, 2]);
    });

    spec.test('M5 of forks have what each has answered or not', async ({ store, reopen }) => {
      await createAgent(store, 'a', [
        user('x'),
        asks('one', 'two'),
        answers('one', 'two'),
        ...conversation(2),
      ]);
      await store.appendMessages('a', [asks('three', 'four')]);
      await store.saveToolCallRecords('a', [
        { toolCallId: 'three', state: 'approval_required' },
        { toolCallId: 'four', state: 'executing' },
      ]);
      await store.commit('a', { compaction: { seq: 3, messages: SUMMARY } });
      await store.fork('a', { agentId: 'whole' });
      await store.fork('a', { agentId: 'cut', at: 2 });
      await store.fork('whole', { agentId: 'grandchild' });
      for (const id of ['a', 'whole', 'grandchild']) await agrees(store, id, [2, 3]);
      await agrees(store, 'cut', [0, 1]);

      await store.appendMessages('whole', [answers('three', 'four'), user('on')]);
      await store.appendMessages('cut', [answers('one')]);
      await store.decideApproval('grandchild', 'three', { decision: 'allow' });
      await store.fork('whole', { agentId: 'of-answered' });
      await store.fork('cut', { agentId: 'of-cut' });
      const again = await reopen();
      await agrees(again, 'a', [2, 3]);
      await agrees(again, 'whole', []);
      await agrees(again, 'of-answered', []);
      await agrees(again, 'cut', [1]);
      await agrees(again, 'of-cut', [1]);
      const { openCalls, compaction } = await agrees(again, 'grandchild', [2, 3]);
      assert.deepEqual(
        openCalls.map(({ state }) => state),
        ['approved', 'sealed'],
      );
      assert.equal(compaction?.seq, 3);
    });

    spec.test('M5 of a rewritten conversation have what it lacks now', async ({ store, reopen }) => {
      const messages = [user('x'), asks('one', 'two'), answers('one', 'two'), user('y')];
      await createAgent(store, 'a', messages);
      await store.fork('a', { agentId: 'b' });
      await store.saveMessages('a', [...messages.slice(0, 2), answers('one')]);
      await store.saveMessages('b', messages.slice(0, 2));
      const again = await reopen();
      await agrees(again, 'a', [1]);
      await agrees(again, 'b', [0, 1]);
      await again.delete('a');
      await agrees(again, 'b', [0, 1]);
    });
  });
}
