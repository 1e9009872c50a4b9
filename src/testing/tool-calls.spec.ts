import assert from 'node:assert/strict';
import type { Message } from '../model/message.ts';
import { callsOfA, completes, outputsOfA, placesOfA } from './call-checks.ts';
import type { Spec, SpecContext } from './harness.ts';
import { answers, asks, assistant, createAgent, minute, refused, toolUse, user } from './samples.ts';

/** Which calls there are: how they are opened, addressed, ordered and dropped. */
export function toolCallsSpec(spec: Spec): void {
  spec.describe('tool calls', () => {
    spec.describe('are opened', () => {
      spec.test('by a tool_use block, pending', async (context) => {
        const messages = [user('x'), asks('a')];
        await context.store.commit('a', { info: {}, messages, at: minute(0), expectedVersion: 0 });
        assert.deepEqual(await callsOfA(context), [
          {
            toolCallId: 'a',
            toolName: 'search',
            input: { query: 'a' },
            state: 'pending',
            isError: false,
            callSeq: 0,
            messageSeq: 1,
            approval: { required: false },
            createdAt: minute(0),
            updatedAt: minute(0),
            auditTrail: [{ state: 'pending', at: minute(0) }],
          },
        ]);
      });

      spec.test('in the order of messages and blocks, whichever call saves them', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [asks('0', '1')]);
        await store.appendMessages('a', [user('x'), asks('2')]);
        await store.commit('a', { messages: [asks('3', '4'), asks('5')] });
        const messages = await store.loadMessages('a');
        await store.saveMessages('a', [...messages, asks('6')]);
        assert.deepEqual(await placesOfA(context), [
          ['0', 0, 0],
          ['1', 1, 0],
          ['2', 2, 2],
          ['3', 3, 3],
          ['4', 4, 3],
          ['5', 5, 4],
          ['6', 6, 5],
        ]);
      });

      spec.test('by a record where no block did', async (context) => {
        const { store } = context;
        await createAgent(store, 'a');
        await refused(store.saveToolCallRecords('a', [{ toolCallId: 'a', state: 'executing' }]), 'toolName');
        await store.saveToolCallRecords('a', [
          { toolCallId: 'a', toolName: 'search', state: 'executing' },
          { toolCallId: 'b', toolName: 'fetch', input: null },
        ]);
        const [first, second] = await callsOfA(context);
        assert.deepEqual([first?.toolName, first?.input, first?.state], ['search', {}, 'executing']);
        assert.deepEqual([second?.toolName, second?.input, second?.state], ['fetch', null, 'pending']);
        assert.ok(first && !('messageSeq' in first));
        assert.deepEqual([first.callSeq, second?.callSeq], [0, 1]);
      });

      spec.test('once by a record and the block that follows later', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [user('x')]);
        await store.saveToolCallRecords('a', [{ toolCallId: 'a', toolName: 'search', state: 'executing' }]);
        await store.appendMessages('a', [asks('a')]);
        assert.deepEqual(await placesOfA(context), [['a', 0, 1]]);
        assert.equal((await callsOfA(context))[0]?.state, 'executing');
        await context.store.appendMessages('a', [asks('a')]);
        assert.deepEqual(await placesOfA(context), [
          ['a', 0, 1],
          ['a', 1, 2],
        ]);
      });

      spec.test('once, too, if the call is over before its block is saved', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [user('x')]);
        const record = { toolCallId: 'a', toolName: 'search', state: 'completed', output: 1 } as const;
        await store.saveToolCallRecords('a', [record]);
        await store.appendMessages('a', [asks('a'), answers('a')]);
        assert.deepEqual(await placesOfA(context), [['a', 0, 1]]);
        const [call] = await callsOfA(context);
        assert.deepEqual([call?.state, call?.output], ['completed', 1]);
      });

      spec.test('once by a block and a record in one commit', async (context) => {
        const { store } = context;
        await createAgent(store, 'a');
        await store.commit('a', {
          toolCalls: [
            { toolCallId: 'b', state: 'executing' },
            { toolCallId: 'a', state: 'completed', output: 1 },
          ],
          messages: [asks('a', 'b')],
        });
        assert.deepEqual(await placesOfA(context), [
          ['a', 0, 0],
          ['b', 1, 0],
        ]);
        assert.deepEqual(await states(context), ['completed', 'executing']);
      });

      spec.test('by no block of a snapshot or a compaction', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [user('x')]);
        await store.commit('a', {
          snapshot: { id: 's', messages: [asks('a')] },
          compaction: { seq: 1, messages: [asks('b')] },
        });
        assert.deepEqual(await callsOfA(context), []);
      });

      spec.test('and no tool_result ends them', async (context) => {
        await createAgent(context.store, 'a', [asks('a', 'b'), answers('a', 'b'), assistant('done')]);
        assert.deepEqual(await states(context), ['pending', 'pending']);
      });
    });

    spec.describe('are in the order of their callSeq', () => {
      spec.test('in whatever order they are updated', async (context) => {
        const ids = Array.from({ length: 14 }, (_, n) => `call ${n}`);
        await createAgent(context.store, 'a', [asks(...ids)]);
        for (const toolCallId of ids.toReversed()) {
          await context.store.saveToolCallRecords('a', [
            { toolCallId, state: 'completed', output: toolCallId },
          ]);
        }
        const records = await callsOfA(context);
        assert.deepEqual(
          records.map(({ callSeq }) => callSeq),
          ids.map((_, n) => n),
        );
        assert.deepEqual(
          records.map(({ output }) => output),
          ids,
        );
      });
    });

    spec.describe('have ids and names', () => {
      spec.test('that are compared by their bytes', async (context) => {
        const ids = [
          'Call',
          'call',
          'call ',
          '\u00e9',
          'e\u0301',
          'call/1\\..',
          'line\nbreak',
          'x'.repeat(255),
          '\u{1f600}',
          '',
          'x'.repeat(256),
          'a\u0000',
          '\udc00',
        ];
        await createAgent(context.store, 'a', [asks(...ids)]);
        for (const id of ids) await completes(context.store, 'a', { toolCallId: id, output: id });
        assert.deepEqual(await outputsOfA(context), ids);
      });

      spec.test('of at most 64 KB', async (context) => {
        const { store } = context;
        await createAgent(store, 'a');
        for (const bad of ['x'.repeat(65_537), 'é'.repeat(32_769), 7 as unknown as string]) {
          const use = (id: string, name: string): Message => ({
            role: 'assistant',
            content: [toolUse(id, name)],
          });
          await refused(store.appendMessages('a', [use(bad, 'search')]), 'id');
          await refused(store.appendMessages('a', [use('a', bad)]), 'name');
          await refused(
            store.saveToolCallRecords('a', [{ toolCallId: bad, toolName: 'search' }]),
            'toolCallId',
          );
          await refused(store.saveToolCallRecords('a', [{ toolCallId: 'a', toolName: bad }]), 'toolName');
        }
        assert.deepEqual(await callsOfA(context), []);
        assert.deepEqual(await context.store.loadMessages('a'), []);
      });
    });

    spec.describe('after a rewrite', () => {
      const head = [user('x'), asks('a'), answers('a')];

      spec.test('those of the replaced tail are gone, and their ordinals free', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [...head, asks('b', 'c'), answers('b', 'c')]);
        await completes(store, 'a', { toolCallId: 'a', output: 1 });
        await completes(store, 'a', { toolCallId: 'b', output: 2 });
        await store.saveMessages('a', [...head, asks('d')]);
        assert.deepEqual(await placesOfA(context), [
          ['a', 0, 1],
          ['d', 1, 3],
        ]);
        assert.deepEqual(await states(context), ['completed', 'pending']);
      });

      spec.test('one that is asked for again starts anew', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', head);
        await completes(store, 'a', { toolCallId: 'a', output: 1 });
        await store.saveMessages('a', [user('x')]);
        assert.deepEqual(await callsOfA(context), []);
        await context.store.appendMessages('a', [asks('a')]);
        const [call] = await callsOfA(context);
        assert.ok(call && !('output' in call));
        assert.deepEqual([call.state, call.callSeq, call.messageSeq], ['pending', 0, 1]);
      });

      spec.test('one whose result alone was replaced stays', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', head);
        await completes(store, 'a', { toolCallId: 'a', output: 1 });
        await store.saveMessages('a', [...head.slice(0, 2), user('never mind')]);
        assert.deepEqual(await outputsOfA(context), [1]);
      });
    });
  });
}

async function states(context: SpecContext): Promise<string[]> {
  return (await callsOfA(context)).map(({ state }) => state);
}
