import assert from 'node:assert/strict';
import type { ContentBlock, Message } from '../model/message.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import { nested, REPRESENTABLE, UNREPRESENTABLE } from './exact-values.ts';
import type { Spec } from './harness.ts';
import {
  collect,
  createAgent,
  everything,
  minute,
  progress,
  refused,
  sameJson,
  toolUse,
  user,
} from './samples.ts';

/** What was saved comes back byte for byte, wherever a value can stand; what can't be is refused by name. */
export function exactnessSpec(spec: Spec): void {
  spec.describe('exactness', () => {
    for (const [name, make] of Object.entries(REPRESENTABLE)) {
      spec.test(
        `${name} come back everywhere as they were`,
        async ({ store, reopen }) => {
          await save(store, make());
          const again = await reopen();
          const fork = await again.fork('a', { agentId: 'fork' });
          await again.fork('a', { agentId: 'fork-of-own', at: 'own' });
          const value = make();
          await sameInAgent(again, 'a', value);
          await sameBesideMessages(again, value);
          await sameInAgent(again, fork, value);
          sameJson(await again.loadMessages('fork-of-own'), [resultWith(value)], 'fork of an own copy');
          if (spec.capabilities.extended) await sameInQueries(again as ExtendedStore, value);
        },
        60_000,
      );
    }

    spec.extended(
      'equal texts are equal messages: saving them again keeps their times',
      async (context) => {
        const make = () => Object.values(REPRESENTABLE).map((value) => messageWith(value()));
        await context.store.commit('a', { info: {}, messages: make(), at: minute(0), expectedVersion: 0 });
        await context.store.saveMessages('a', make());
        for (const record of await (await context.reopen()).queryMessages({ agentId: 'a' })) {
          assert.deepEqual(record.createdAt, minute(0), `message ${record.seq}`);
        }
      },
      60_000,
    );

    spec.test(
      'what was loaded can be saved again and again',
      async ({ store, reopen }) => {
        const messages = Object.values(REPRESENTABLE).map((make) => messageWith(make()));
        await createAgent(store, 'a', messages);
        await store.saveMessages('a', await store.loadMessages('a'));
        await createAgent(store, 'b', await store.loadMessages('a'));
        const again = await reopen();
        sameJson(await again.loadMessages('a'), messages);
        sameJson(await again.loadMessages('b'), messages);
      },
      60_000,
    );

    spec.test('1,000 levels are kept, one more is refused', async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('start')]);
      const ask = (levels: number): Message => ({
        role: 'assistant',
        content: [toolUse('call', 'search', nested(levels))],
      });
      await store.appendMessages('a', [ask(1_000)]);
      await store.saveToolCallRecords('a', [
        { toolCallId: 'call', state: 'executing', output: nested(1_000) },
      ]);
      await refused(store.appendMessages('a', [ask(1_001)]), 'input');
      await refused(
        store.saveToolCallRecords('a', [{ toolCallId: 'call', output: nested(1_001) }]),
        'output',
      );
      const { messages, toolCalls } = await (await reopen()).loadAgent('a');
      sameJson(messages, [user('start'), ask(1_000)]);
      sameJson([toolCalls[0]?.input, toolCalls[0]?.output], [nested(1_000), nested(1_000)]);
    });

    spec.describe("values that can't be represented are refused by name", () => {
      for (const [place, put] of Object.entries(PLACES)) {
        spec.test(`in ${place}, and nothing is written`, async ({ store, reopen }) => {
          await createAgent(store, 'a', [user('start'), { role: 'assistant', content: [toolUse('call')] }]);
          const before = await everything(store);
          for (const [kind, make] of Object.entries(UNREPRESENTABLE)) {
            await refused(put(store, make()), 'bad', kind);
            await refused(put(store, [{ fine: 1 }, [make()]]), 'bad', `${kind}, deeper`);
          }
          assert.equal(await everything(await reopen()), before);
        });
      }

      spec.test('as a whole input or output too', async ({ store, reopen }) => {
        await createAgent(store, 'a', [{ role: 'assistant', content: [toolUse('call')] }]);
        for (const [kind, make] of Object.entries(UNREPRESENTABLE)) {
          await refused(
            store.saveToolCallRecords('a', [{ toolCallId: 'call', output: make() }]),
            'output',
            kind,
          );
          const opened = { toolCallId: 'new', toolName: 'search', input: make() };
          await refused(store.saveToolCallRecords('a', [opened]), 'input', kind);
        }
        const calls = await (await reopen()).loadToolCallRecords('a');
        assert.equal(calls.length, 1);
        assert.ok(calls[0] && !('output' in calls[0]));
      });
    });
  });
}

function messageWith(value: unknown): Message {
  const unknown: ContentBlock = { zeta: 1, type: 'hologram', value, alpha: [value] };
  return {
    role: 'assistant',
    content: [
      { type: 'text', text: 'x', providerOptions: { provider: { signature: value } } },
      { type: 'reasoning', reasoning: 'because', providerOptions: { provider: value } },
      unknown,
      {
        type: 'tool_use',
        id: 'call',
        name: 'search',
        input: { z: value, a: value },
        providerExecuted: false,
      },
    ],
    metadata: { z: value, a: 1 },
    providerOptions: { provider: value },
  };
}

function resultWith(value: unknown): Message {
  return {
    role: 'user',
    content: [{ type: 'tool_result', is_error: false, content: value, tool_use_id: 'call' }],
  };
}

async function save(store: Store, value: unknown): Promise<void> {
  await store.commit('a', {
    info: { metadata: { z: value, a: 1 } },
    messages: [messageWith(value), resultWith(value)],
    toolCalls: [{ toolCallId: 'call', state: 'completed', output: value }],
    events: [progress('x', { z: value, a: 1 })],
    todos: { todos: [value, { z: value, a: 1 }] },
    compaction: { seq: 1, messages: [messageWith(value)], metadata: { z: value, a: 1 } },
    snapshot: { id: 'reference', metadata: { z: value, a: 1 } },
    expectedVersion: 0,
  });
  await store.saveSnapshot('a', { id: 'own', messages: [resultWith(value)] });
  await store.saveDocument('a', { kind: 'recovered-file', name: 'x', content: value });
  await store.saveDelta('a', { z: value, a: 1 });
  sameJson(await store.loadDelta('a'), [{ z: value, a: 1 }], 'delta');
}

/** What the agent and its fork share. */
async function sameInAgent(store: Store, agentId: string, value: unknown): Promise<void> {
  const messages = [messageWith(value), resultWith(value)];
  const loaded = await store.loadAgent(agentId);
  sameJson(await store.loadMessages(agentId), messages, `loadMessages of ${agentId}`);
  sameJson(loaded.messages, messages, `loadAgent of ${agentId}`);
  sameJson(
    await store.loadContext(agentId),
    [messageWith(value), resultWith(value)],
    `context of ${agentId}`,
  );
  sameJson(loaded.info.metadata, { z: value, a: 1 }, `metadata of ${agentId}`);
  sameJson(loaded.todos?.todos, [value, { z: value, a: 1 }], `to-dos of ${agentId}`);
  sameJson(loaded.compaction?.metadata, { z: value, a: 1 }, `compaction of ${agentId}`);
  for (const calls of [loaded.toolCalls, await store.loadToolCallRecords(agentId)]) {
    assert.equal(calls.length, 1);
    sameJson(calls[0]?.input, { z: value, a: value }, `input of ${agentId}`);
    sameJson(calls[0]?.output, value, `output of ${agentId}`);
  }
}

async function sameBesideMessages(store: Store, value: unknown): Promise<void> {
  const [stored] = await collect(store.readEvents('a'));
  sameJson(stored?.event, progress('x', { z: value, a: 1 }), 'event');
  const reference = await store.loadSnapshot('a', 'reference');
  sameJson(reference?.messages, [messageWith(value), resultWith(value)], 'snapshot');
  sameJson(reference?.metadata, { z: value, a: 1 }, 'metadata of a snapshot');
  const own = await store.loadSnapshot('a', 'own');
  sameJson(own?.messages, [resultWith(value)], 'snapshot with a copy of its own');
  sameJson((await store.loadDocument('a', 'recovered-file', 'x'))?.content, value, 'document');
  sameJson((await store.listDocuments('a', 'recovered-file'))[0]?.content, value, 'document in a list');
}

async function sameInQueries(store: ExtendedStore, value: unknown): Promise<void> {
  const messages = [messageWith(value), resultWith(value)];
  for (const agentId of ['a', 'fork']) {
    const records = await store.queryMessages({ agentId, order: 'asc' });
    sameJson(
      records.map(({ content }) => content),
      messages.map(({ content }) => content),
      'queryMessages',
    );
    sameJson(records[0]?.metadata, { z: value, a: 1 }, 'metadata in queryMessages');
    const calls = await store.queryToolCalls({ agentId });
    sameJson(calls[0]?.input, { z: value, a: value }, 'input in queryToolCalls');
    sameJson(calls[0]?.output, value, 'output in queryToolCalls');
  }
  const sessions = await store.querySessions();
  for (const session of sessions) sameJson(session.metadata, { z: value, a: 1 }, 'querySessions');
}

/** Puts the value under the key `bad` into each place where a caller's value can stand. */
const PLACES: Record<string, (store: Store, bad: unknown) => Promise<unknown>> = {
  'a text block': (store, bad) =>
    store.appendMessages('a', [user('fine'), { role: 'user', content: [{ type: 'text', text: 'x', bad }] }]),
  'an unknown block': (store, bad) =>
    store.appendMessages('a', [{ role: 'user', content: [{ type: 'x', bad }] }]),
  'a tool_use': (store, bad) =>
    store.appendMessages('a', [{ role: 'assistant', content: [toolUse('new', 'search', { bad })] }]),
  'a tool_result': (store, bad) =>
    store.appendMessages('a', [
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call', content: { bad } }] },
    ]),
  'metadata of a message': (store, bad) => store.saveMessages('a', [{ ...user('x'), metadata: { bad } }]),
  'providerOptions of a message': (store, bad) =>
    store.saveMessages('a', [{ ...user('x'), providerOptions: { bad } }]),
  'the input of a call': (store, bad) =>
    store.saveToolCallRecords('a', [{ toolCallId: 'new', toolName: 'search', input: { bad } }]),
  'the output of a call': (store, bad) =>
    store.saveToolCallRecords('a', [{ toolCallId: 'call', state: 'completed', output: { bad } }]),
  "an agent's metadata": (store, bad) => store.saveInfo('a', { metadata: { bad } }),
  "a new agent's metadata": (store, bad) => store.saveInfo('new', { metadata: { bad } }),
  'a to-do': (store, bad) => store.saveTodos('a', { todos: [{ fine: 1 }, { bad }] }),
  'an event': (store, bad) => store.appendEvent('a', progress('x', { bad })),
  'an event of a commit': (store, bad) =>
    store.commit('a', { messages: [user('x')], events: [progress('x', { bad })] }),
  'a delta': (store, bad) => store.saveDelta('a', { bad }),
  'metadata of a snapshot': (store, bad) => store.saveSnapshot('a', { id: 's', metadata: { bad } }),
  'a message of a snapshot': (store, bad) =>
    store.saveSnapshot('a', { id: 's', messages: [{ ...user('x'), metadata: { bad } }] }),
  'metadata of a compaction': (store, bad) =>
    store.commit('a', { compaction: { seq: 1, messages: [], metadata: { bad } } }),
  'a message of a compaction': (store, bad) =>
    store.commit('a', { compaction: { seq: 1, messages: [{ ...user('x'), metadata: { bad } }] } }),
  'a document': (store, bad) => store.saveDocument('a', { kind: 'compression', name: 'x', content: { bad } }),
};
