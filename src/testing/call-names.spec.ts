import assert from 'node:assert/strict';
import type { ContentBlock, Message } from '../model/message.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import {
  assistant,
  collect,
  createAgent,
  progress,
  refused,
  sameJson,
  toolUse,
  user,
  wrong,
} from './samples.ts';

/** What models and gateways send as a call's id or a tool's name. */
const NAMES: readonly string[] = [
  '',
  ' ',
  'x',
  `call_${'A'.repeat(900)}`,
  `call_${'A'.repeat(899)}B`,
  `call_${'é'.repeat(2_250)}`,
  'n'.repeat(65_536),
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udfff',
  'lone \udc00 surrogate',
  '"quoted" \\ back\nslash',
  '__proto__',
  'constructor',
  `sha256:${'A'.repeat(43)}`,
  '名前'.repeat(60),
];
const TOO_LONG = 'n'.repeat(65_537);

function results(ids: readonly string[]): Message {
  const content = ids.map((id): ContentBlock => ({ type: 'tool_result', tool_use_id: id, content: 'ok' }));
  return { role: 'user', content };
}

/** An agent whose one answer asks for a call of each id, by the tool of the same name. */
async function asking(store: Store, agentId: string): Promise<Message[]> {
  const calls = { role: 'assistant' as const, content: NAMES.map((name) => toolUse(name, name, { name })) };
  const messages = [user('go'), calls];
  await createAgent(store, agentId, messages, { status: 'running' });
  return messages;
}

/** As messages of a failed assertion, 64 KB of a name help nobody. */
function short(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 30)}… (${name.length})` : name);
}

export function callNamesSpec(spec: Spec): void {
  spec.describe('call ids and tool names', () => {
    asTheyCame(spec);
    addressed(spec);
    queried(spec);
    refusals(spec);
  });
}

function asTheyCame(spec: Spec): void {
  spec.test('M1 come back as they came', async ({ store, reopen }) => {
    const messages = await asking(store, 'a');
    const fork = await store.fork('a', { agentId: 'b' });
    const again = await reopen();
    for (const agentId of ['a', fork]) {
      const loaded = await again.loadAgent(agentId);
      sameJson(loaded.messages, messages);
      sameJson(await again.loadContext(agentId), messages);
      for (const calls of [loaded.toolCalls, await again.loadToolCallRecords(agentId)]) {
        sameJson(
          calls.map((call) => [call.toolCallId, call.toolName, call.input]),
          NAMES.map((name) => [name, name, { name }]),
        );
      }
    }
  });

  spec.test('M1 name the call that started a helper', async ({ store, reopen }) => {
    await createAgent(store, 'a');
    for (const [n, parentToolCallId] of NAMES.entries()) {
      await createAgent(store, `created${n}`, [], { parentAgentId: 'a', parentToolCallId });
      await createAgent(store, `changed${n}`);
      await store.saveInfo(`changed${n}`, { parentAgentId: 'a', parentToolCallId });
    }
    const again = await reopen();
    for (const [n, name] of NAMES.entries()) {
      for (const agentId of [`created${n}`, `changed${n}`]) {
        const info = await again.loadInfo(agentId);
        assert.ok(info?.parentToolCallId === name, `${agentId}: ${short(name)}`);
        assert.ok((await again.loadAgent(agentId)).info.parentToolCallId === name);
      }
    }
    const fork = await again.fork('created3');
    assert.ok(!('parentToolCallId' in ((await again.loadInfo(fork)) ?? {})));
  });

  spec.test('M1 are what events, documents and snapshots are given them as', async ({ store, reopen }) => {
    const messages = await asking(store, 'a');
    for (const toolCallId of NAMES) await store.appendEvent('a', progress('tool-call', { toolCallId }));
    await store.saveDocument('a', { kind: 'recovered-file', name: 'calls', content: NAMES });
    await store.saveSnapshot('a', { id: 's' });
    await store.appendMessages('a', [results(NAMES)]);
    const again = await reopen();
    const events = await collect(again.readEvents('a'));
    sameJson(
      events.map(({ event }) => event.toolCallId),
      NAMES,
    );
    sameJson((await again.loadDocument('a', 'recovered-file', 'calls'))?.content, NAMES);
    sameJson((await again.loadSnapshot('a', 's'))?.messages, messages);
    const before = await again.fork('a', { at: 's' });
    const calls = await again.loadToolCallRecords(before);
    sameJson(
      calls.map((call) => [call.toolCallId, call.state]),
      NAMES.map((name) => [name, 'sealed']),
    );
  });
}

function addressed(spec: Spec): void {
  spec.test('M1 address their call, in this process and in another', async ({ store, reopen }) => {
    await asking(store, 'a');
    const half = NAMES.length >> 1;
    const end = (toolCallId: string) => ({ toolCallId, state: 'completed' as const, output: toolCallId });
    await store.saveToolCallRecords('a', NAMES.slice(0, half).map(end));
    const again = await reopen();
    for (const name of NAMES.slice(half)) await again.saveToolCallRecords('a', [end(name)]);
    await again.appendMessages('a', [results(NAMES), assistant('done')]);
    const calls = await (await reopen()).loadToolCallRecords('a');
    assert.equal(calls.length, NAMES.length);
    for (const [n, call] of calls.entries()) {
      assert.ok(call.toolCallId === NAMES[n] && call.output === NAMES[n], `call ${n}`);
      assert.equal(call.state, 'completed');
    }
  });

  spec.test(
    'M1 repeat like any others: a record is about the newest open call',
    async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('go')]);
      for (const name of ['', `call_${'A'.repeat(900)}`]) {
        const ask: Message = { role: 'assistant', content: [toolUse(name, 'one'), toolUse(name, 'two')] };
        await store.appendMessages('a', [ask]);
        await store.saveToolCallRecords('a', [{ toolCallId: name, state: 'completed', output: 1 }]);
        await store.saveToolCallRecords('a', [{ toolCallId: name, state: 'completed', output: 2 }]);
        await store.appendMessages('a', [results([name, name])]);
      }
      const calls = await (await reopen()).loadToolCallRecords('a');
      assert.deepEqual(
        calls.map(({ toolName, output }) => [toolName, output]),
        [
          ['one', 1],
          ['two', 2],
          ['one', 1],
          ['two', 2],
        ],
      );
    },
  );

  spec.test('M1 are decided on by their id', async ({ store, reopen }) => {
    await asking(store, 'a');
    const waiting = NAMES.map((toolCallId) => ({ toolCallId, state: 'approval_required' as const }));
    await store.saveToolCallRecords('a', waiting);
    for (const [n, name] of NAMES.entries()) {
      const decided = await store.decideApproval('a', name, { decision: n % 2 === 0 ? 'allow' : 'deny' });
      assert.ok(decided.toolCallId === name && decided.callSeq === n, short(name));
    }
    const again = await reopen();
    const calls = await again.loadToolCallRecords('a');
    assert.deepEqual(
      calls.map(({ state }) => state),
      NAMES.map((_, n) => (n % 2 === 0 ? 'approved' : 'denied')),
    );
    const events = await collect(again.readEvents('a'));
    sameJson(
      events.map(({ event }) => [event.toolCallId, event.toolName]),
      NAMES.map((name) => [name, name]),
    );
  });
}

function queried(spec: Spec): void {
  spec.extended('M1 are found by the tool, in one agent and in all', async (context) => {
    await asking(context.store, 'a');
    await asking(context.store, 'b');
    const failed = NAMES.map((toolCallId) => ({ toolCallId, state: 'failed' as const, error: 'no' }));
    await context.store.saveToolCallRecords('b', failed);
    const store = await context.reopen();
    const foundBy = async (toolName: string, rest: object) => {
      const found = await store.queryToolCalls({ toolName, ...rest });
      assert.ok(
        found.every((call) => call.toolName === toolName && call.toolCallId === toolName),
        short(toolName),
      );
      return found.map((call) => call.agentId).sort();
    };
    for (const name of NAMES) {
      assert.deepEqual(await foundBy(name, {}), ['a', 'b'], short(name));
      assert.deepEqual(await foundBy(name, { agentId: 'a' }), ['a'], short(name));
      assert.deepEqual(await foundBy(name, { isError: true }), ['b'], short(name));
      assert.deepEqual(await foundBy(name, { state: 'pending' }), ['a'], short(name));
    }
    assert.deepEqual(await foundBy(`call_${'A'.repeat(901)}`, {}), []);
    const all = await collect(store.iterateToolCalls({ order: 'asc', agentId: 'a' }));
    sameJson(
      all.map((call) => call.toolName),
      NAMES,
    );
  });

  spec.extended('M1 are counted under their name', async (context) => {
    await asking(context.store, 'a');
    await asking(context.store, 'b');
    const store = await context.reopen();
    const counted = (count: number) => NAMES.map((name) => [name, count]).sort();
    for (const [scope, count] of [
      ['a', 1],
      [{}, 2],
      [{ templateId: 'default' }, 2],
    ] as const) {
      const { toolCallsByName } = await store.aggregateStats(scope);
      sameJson(Object.entries(toolCallsByName).sort(), counted(count));
    }
  });

  spec.extended('M1 are listed with the sessions that they started', async (context) => {
    for (const [n, parentToolCallId] of NAMES.entries()) {
      await createAgent(context.store, `h${n}`, [], { parentAgentId: 'a', parentToolCallId });
    }
    const sessions = await (await context.reopen()).querySessions({ order: 'asc' });
    sameJson(
      sessions.map((info) => info.parentToolCallId),
      NAMES,
    );
  });
}

function refusals(spec: Spec): void {
  spec.test('M1 are texts of at most 64 KB', async ({ store }) => {
    await createAgent(store, 'a', [user('go')]);
    const asks = (block: object): Message => ({ role: 'assistant', content: [wrong(block)] });
    for (const bad of [TOO_LONG, 5, null, undefined, {}]) {
      const use = { type: 'tool_use', id: bad, name: 'x', input: {} };
      await refused(store.appendMessages('a', [asks(use)]), 'content[0].id');
      await refused(store.appendMessages('a', [asks({ ...use, id: 'x', name: bad })]), 'content[0].name');
      await refused(
        store.appendMessages('a', [asks({ type: 'tool_result', tool_use_id: bad, content: 1 })]),
        'tool_use_id',
      );
      await refused(store.decideApproval('a', wrong(bad), { decision: 'allow' }), 'toolCallId');
      const record = { toolCallId: wrong<string>(bad), toolName: 'x' };
      await refused(store.saveToolCallRecords('a', [record]), 'toolCallId');
    }
    await refused(store.saveInfo('a', { parentToolCallId: TOO_LONG }), 'parentToolCallId');
    assert.deepEqual(await store.loadToolCallRecords('a'), []);
    assert.equal((await store.loadInfo('a'))?.version, 1);
  });
}
