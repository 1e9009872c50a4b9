import assert from 'node:assert/strict';
import type { LoadedAgent } from '../model/agent.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { answers, asks, conversation, createAgent, sameJson, user } from './samples.ts';

export function loadAgentSpec(spec: Spec): void {
  spec.describe('loadAgent', () => {
    /** An agent with something of everything. */
    async function full(store: Store): Promise<void> {
      await createAgent(store, 'a', [user('x'), asks('one', 'two'), answers('one')], { userId: 'u' });
      await store.saveToolCallRecords('a', [{ toolCallId: 'one', state: 'completed', output: null }]);
      await store.saveTodos('a', { todos: ['look'] });
      await store.commit('a', { compaction: { seq: 2, messages: [user('so far')] } });
    }

    async function agrees(store: Store, id: string): Promise<LoadedAgent> {
      const loaded = await store.loadAgent(id);
      assert.deepEqual(loaded.info, await store.loadInfo(id));
      sameJson(loaded.messages, await store.loadMessages(id));
      assert.deepEqual(loaded.toolCalls, await store.loadToolCallRecords(id));
      assert.deepEqual(loaded.todos, await store.loadTodos(id));
      assert.deepEqual(loaded.compaction, (await store.loadCompactions(id)).at(-1));
      return loaded;
    }

    spec.test('is everything that the narrow calls load', async ({ store, reopen }) => {
      await full(store);
      const { messages, toolCalls, todos, compaction } = await agrees(await reopen(), 'a');
      assert.deepEqual(
        [messages.length, toolCalls.length, todos?.todos.length, compaction?.seq],
        [3, 2, 1, 2],
      );
    });

    spec.test('is little for an agent that has done nothing', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const { messages, toolCalls, todos, compaction } = await agrees(await reopen(), 'a');
      assert.deepEqual(
        { messages, toolCalls, todos, compaction },
        {
          messages: [],
          toolCalls: [],
          todos: undefined,
          compaction: undefined,
        },
      );
    });

    spec.test('is as right for forks, rewritten and orphaned ones', async ({ store, reopen }) => {
      await full(store);
      await store.fork('a', { agentId: 'fork' });
      await store.fork('fork', { agentId: 'grandchild', at: 2 });
      await store.appendMessages('grandchild', conversation(2));
      await store.saveMessages('fork', [user('x'), user('other')]);
      await store.delete('a');
      const again = await reopen();
      assert.equal((await agrees(again, 'fork')).messages.length, 2);
      const { messages, toolCalls } = await agrees(again, 'grandchild');
      assert.deepEqual([messages.length, toolCalls.length], [4, 2]);
    });

    spec.test('is of one moment while this store writes', async ({ store }) => {
      await store.commit('a', { info: {}, todos: { todos: [] }, expectedVersion: 0 });
      await observed(store, store);
    });

    spec.shared('is of one moment while another store writes', async (context) => {
      const { store } = context;
      await store.commit('a', { info: {}, todos: { todos: [] }, expectedVersion: 0 });
      await observed(store, await context.another());
    });
  });
}

/** Each commit adds a message, a call and a to-do: whoever sees different numbers saw half a commit. */
async function observed(writer: Store, reader: Store): Promise<void> {
  let writing = true;
  const write = async () => {
    for (let n = 1; n <= 40; n++) {
      await writer.commit('a', {
        messages: [asks(`call ${n}`)],
        todos: { todos: Array.from({ length: n }, (_, k) => k) },
        info: { metadata: { n } },
      });
    }
    writing = false;
  };
  const read = async () => {
    let last = 0;
    do {
      const { info, messages, toolCalls, todos } = await reader.loadAgent('a');
      const n = messages.length;
      assert.deepEqual(
        [info.messageCount, info.version, toolCalls.length, todos?.todos.length],
        [n, n + 1, n, n],
      );
      assert.equal(info.metadata.n ?? 0, n);
      assert.ok(n >= last, 'time goes on');
      last = n;
    } while (writing);
  };
  await Promise.all([write(), read()]);
  assert.equal((await reader.loadAgent('a')).messages.length, 40);
}
