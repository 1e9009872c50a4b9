import assert from 'node:assert/strict';
import type { Message } from '../model/message.ts';
import type { MessageQueryFilter } from '../store/filters.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { checksPages, checksRanges, ignoresUndefined, refusesBadFilters } from './query-checks.ts';
import {
  answers,
  asks,
  assistant,
  conversation,
  createAgent,
  minute,
  sameJson,
  toolResult,
  toolUse,
  user,
  wrong,
} from './samples.ts';

/** Creates an agent whose messages happened one minute apart. */
async function recorded(store: Store, agentId: string, messages: Message[], from = 0): Promise<void> {
  await store.commit(agentId, {
    info: { createdAt: minute(from) },
    messages,
    at: messages.map((_, n) => minute(from + n)),
    expectedVersion: 0,
  });
}

/** What was found, oldest first, as `agent:seq`. */
async function found(store: ExtendedStore, filter: MessageQueryFilter = {}): Promise<string[]> {
  const messages = await store.queryMessages({ order: 'asc', ...filter });
  return messages.map((message) => `${message.agentId}:${message.seq}`);
}

function loose(store: ExtendedStore) {
  return (filter: Record<string, unknown>) => store.queryMessages(wrong(filter));
}

export function messageQueriesSpec(spec: Spec): void {
  spec.describe('queryMessages', () => {
    filtering(spec);
    ordering(spec);
    ofForks(spec);
    ofRewrittenConversations(spec);

    spec.extended('refuses what it does not understand, by name', async ({ store }) => {
      await createAgent(store, 'a', conversation(2));
      await refusesBadFilters(loose(store), {
        agentId: ['', 1, null, {}],
        role: ['tool', '', 1, null],
        contentType: ['image', '', 'TEXT', null],
        sortBy: ['createdAt'],
        metadata: [{ a: 1 }],
      });
    });

    spec.extended('takes undefined for absent', async ({ store }) => {
      await createAgent(store, 'a', conversation(2));
      await ignoresUndefined(loose(store), ['agentId', 'role', 'contentType']);
    });

    spec.extended('gives whole messages, which another agent can be given', async ({ store }) => {
      const messages: Message[] = [
        { ...user('go'), metadata: { from: 'ana' }, providerOptions: { anthropic: { cacheControl: 'x' } } },
        { ...assistant('done'), providerOptions: { openai: { itemId: 'msg_1' } } },
        user('thanks'),
      ];
      await createAgent(store, 'a', messages);
      const ofAgent = await store.queryMessages({ agentId: 'a', order: 'asc' });
      const ofAll = await store.queryMessages({ order: 'asc' });
      for (const records of [ofAgent, ofAll]) {
        const shown = records.map(({ agentId: _, seq: __, createdAt: ___, ...message }) => message);
        sameJson(shown, messages);
      }
      await createAgent(store, 'b', ofAgent);
      sameJson(await store.loadMessages('b'), messages);
      const iterated: unknown[] = [];
      for await (const one of store.iterateMessages({ agentId: 'b', order: 'asc' })) {
        iterated.push(one.providerOptions);
      }
      assert.deepEqual(
        iterated,
        messages.map((one) => one.providerOptions),
      );
    });
  });
}

function filtering(spec: Spec): void {
  const MIXED: Message[] = [
    { role: 'system', content: [{ type: 'text', text: 'be kind' }] },
    user('go'),
    { role: 'assistant', content: [{ type: 'text', text: 'let me see' }, toolUse('x'), toolUse('y')] },
    { role: 'user', content: [toolResult('x'), toolResult('y')] },
    { role: 'assistant', content: [{ type: 'reasoning', reasoning: 'hm' }] },
    { role: 'assistant', content: [] },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'look' },
        { type: 'image', url: 'data:' },
      ],
    },
  ];

  spec.extended('gives messages as they were saved, each with its instant', async (context) => {
    const messages: Message[] = [
      { role: 'user', content: [{ type: 'text', text: '\u0000\ud800', z: 1, a: { b: [] } }] },
      { role: 'assistant', content: [toolUse('x', 'search', { b: 1, a: null })], metadata: { z: 0, a: '' } },
    ];
    await recorded(context.store, 'a', messages);
    const store = await context.reopen();
    const records = await store.queryMessages({ agentId: 'a', order: 'asc' });
    for (const [seq, message] of messages.entries()) {
      const record = records[seq] ?? assert.fail(`message ${seq}`);
      sameJson(record.content, message.content);
      sameJson(record.metadata, message.metadata);
      assert.deepEqual(record, { agentId: 'a', seq, createdAt: minute(seq), ...message });
    }
    assert.deepEqual(await store.queryMessages({ order: 'asc' }), records);
  });

  spec.extended('filters by role and by what the content has, of one agent and of all', async (context) => {
    await recorded(context.store, 'a', MIXED);
    const store = await context.reopen();
    for (const agentId of ['a', undefined]) {
      const by = async (filter: MessageQueryFilter) =>
        (await found(store, { agentId, ...filter })).map((id) => Number(id.slice(2)));
      assert.deepEqual(await by({}), [0, 1, 2, 3, 4, 5, 6]);
      assert.deepEqual(await by({ role: 'system' }), [0]);
      assert.deepEqual(await by({ role: 'user' }), [1, 3, 6]);
      assert.deepEqual(await by({ role: 'assistant' }), [2, 4, 5]);
      assert.deepEqual(await by({ contentType: 'text' }), [0, 1, 2, 6]);
      assert.deepEqual(await by({ contentType: 'tool_use' }), [2]);
      assert.deepEqual(await by({ contentType: 'tool_result' }), [3]);
      assert.deepEqual(await by({ role: 'user', contentType: 'text' }), [1, 6]);
      assert.deepEqual(await by({ role: 'system', contentType: 'tool_use' }), []);
      const range = { createdAfter: minute(2), createdBefore: minute(6) };
      assert.deepEqual(await by({ role: 'assistant', ...range }), [2, 4, 5]);
      assert.deepEqual(await by({ contentType: 'text', ...range }), [2]);
      assert.deepEqual(await by({ role: 'assistant', contentType: 'text', ...range }), [2]);
      assert.deepEqual(await by({ role: 'assistant', ...range, limit: 1, offset: 1, order: 'desc' }), [4]);
    }
    assert.deepEqual(await found(store, { agentId: 'nobody' }), []);
    assert.deepEqual(await found(store, { agentId: 'A' }), []);
    assert.deepEqual(await found(store, { agentId: '%' }), []);
  });

  spec.extended('filters by time, from and including, up to and excluding', async (context) => {
    await recorded(context.store, 'a', new Array<Message>(10).fill(user('x')));
    const store = await context.reopen();
    const minutesOf = (other: MessageQueryFilter) => async (range: MessageQueryFilter) =>
      (await found(store, { ...range, ...other })).map((id) => Number(id.slice(2)));
    await checksRanges(minutesOf({}));
    await checksRanges(minutesOf({ agentId: 'a' }));
    await checksRanges(minutesOf({ agentId: 'a', role: 'user' }));
    await checksRanges(minutesOf({ contentType: 'text' }));
  });
}

function ordering(spec: Spec): void {
  spec.extended('gives exactly the last ten of an agent, newest first', async (context) => {
    await createAgent(context.store, 'a', conversation(25));
    await createAgent(context.store, 'b', conversation(5));
    const store = await context.reopen();
    const last = await store.queryMessages({ agentId: 'a', limit: 10 });
    assert.deepEqual(
      last.map((message) => message.seq),
      [24, 23, 22, 21, 20, 19, 18, 17, 16, 15],
    );
    assert.deepEqual(
      last.map((message) => message.content),
      conversation(25)
        .slice(15)
        .reverse()
        .map((message) => message.content),
    );
  });

  spec.extended('orders those of all agents by time', async (context) => {
    await recorded(context.store, 'a', conversation(4), 0);
    await recorded(context.store, 'b', conversation(4), 2);
    const store = await context.reopen();
    const times = (await store.queryMessages()).map((message) => message.createdAt.getTime());
    assert.deepEqual(
      times,
      [5, 4, 3, 3, 2, 2, 1, 0].map((n) => minute(n).getTime()),
    );
    assert.deepEqual((await found(store)).slice(0, 2), ['a:0', 'a:1']);
  });

  spec.extended('gives 100 by default, and pages', async (context) => {
    await createAgent(context.store, 'a', conversation(90), { createdAt: minute(0) });
    await createAgent(context.store, 'b', conversation(30), { createdAt: minute(0) });
    await checksPages(loose(await context.reopen()));
    await createAgent(context.store, 'c', new Array<Message>(120).fill(assistant('x')));
    const store = await context.reopen();
    const ofC = (other: MessageQueryFilter) => (filter: Record<string, unknown>) =>
      store.queryMessages(wrong({ agentId: 'c', ...other, ...filter }));
    await checksPages(ofC({}));
    await checksPages(ofC({ role: 'assistant', contentType: 'text' }));
    await checksPages(ofC({ createdAfter: 0 }));
  });

  spec.extended('keeps the instants that messages got first', async (context) => {
    await recorded(context.store, 'a', conversation(4));
    await context.store.saveMessages('a', conversation(6));
    await context.store.saveInfo('a', { createdAt: minute(100), status: 'running' });
    const store = await context.reopen();
    const times = (await store.queryMessages({ agentId: 'a', order: 'asc' })).map((one) => one.createdAt);
    assert.deepEqual(
      times.slice(0, 4),
      [0, 1, 2, 3].map((n) => minute(n)),
    );
    assert.ok(times.slice(4).every((time) => time > minute(100)));
  });
}

function ofForks(spec: Spec): void {
  spec.extended('gives a fork what it inherited, asked by its id', async (context) => {
    await recorded(context.store, 'a', conversation(4));
    const fork = await context.store.fork('a', { at: 3 });
    await context.store.appendMessages(fork, [user('own')]);
    const store = await context.reopen();
    assert.deepEqual(
      await found(store, { agentId: fork }),
      [0, 1, 2, 3].map((n) => `${fork}:${n}`),
    );
    const [newest, ...inherited] = await store.queryMessages({ agentId: fork });
    assert.deepEqual(newest?.content, user('own').content);
    assert.deepEqual(
      inherited.map((message) => message.createdAt),
      [2, 1, 0].map((n) => minute(n)),
    );
    assert.deepEqual(await found(store, { agentId: fork, role: 'assistant' }), [`${fork}:1`]);
    assert.deepEqual(await found(store, { agentId: fork, createdBefore: minute(2) }), [
      `${fork}:0`,
      `${fork}:1`,
    ]);
    assert.deepEqual(await found(store, { agentId: fork, limit: 2, offset: 1 }), [`${fork}:1`, `${fork}:2`]);
  });

  spec.extended('gives each stored message once over all agents: under who wrote it', async (context) => {
    await recorded(context.store, 'a', conversation(3));
    await context.store.fork('a', { agentId: 'b' });
    await context.store.commit('b', { messages: [user('own')] });
    await context.store.fork('b', { agentId: 'c' });
    const store = await context.reopen();
    assert.deepEqual(await found(store), ['a:0', 'a:1', 'a:2', 'b:3']);
    assert.deepEqual(await found(store, { role: 'user' }), ['a:0', 'a:2', 'b:3']);
  });

  spec.extended('gives what a deleted agent wrote under its oldest living heir', async (context) => {
    await recorded(context.store, 'a', conversation(4));
    await context.store.fork('a', { agentId: 'b', at: 2 });
    await context.store.fork('a', { agentId: 'c', at: 3 });
    await context.store.fork('b', { agentId: 'd' });
    await context.store.delete('a');
    // Message 3 was in no fork: it is gone. Message 2 is in c only.
    assert.deepEqual(await found(await context.reopen()), ['b:0', 'b:1', 'c:2']);
    await context.store.delete('b');
    assert.deepEqual(await found(await context.reopen()), ['c:0', 'c:1', 'c:2']);
    await context.store.delete('c');
    assert.deepEqual(await found(await context.reopen()), ['d:0', 'd:1']);
    await context.store.delete('d');
    assert.deepEqual(await found(await context.reopen()), []);
  });

  spec.extended('takes an agent created anew under a used id for another one', async (context) => {
    await recorded(context.store, 'a', conversation(2));
    await context.store.fork('a', { agentId: 'b' });
    await context.store.delete('a');
    await recorded(context.store, 'a', [user('new')], 10);
    const store = await context.reopen();
    assert.deepEqual(await found(store), ['b:0', 'b:1', 'a:0']);
    assert.deepEqual(await found(store, { agentId: 'a' }), ['a:0']);
  });
}

function ofRewrittenConversations(spec: Spec): void {
  spec.extended('gives what a rewrite replaced under the fork that still has it', async (context) => {
    await recorded(context.store, 'a', conversation(4));
    await context.store.fork('a', { agentId: 'b', at: 3 });
    await context.store.saveMessages('a', [...conversation(1), user('other')]);
    const store = await context.reopen();
    assert.deepEqual((await found(store)).sort(), ['a:0', 'a:1', 'b:1', 'b:2']);
    assert.deepEqual(await found(store, { agentId: 'b' }), ['b:0', 'b:1', 'b:2']);
    assert.deepEqual(await found(store, { agentId: 'a' }), ['a:0', 'a:1']);
    const texts = await store.queryMessages({ agentId: 'a', limit: 1 });
    assert.deepEqual(texts[0]?.content, user('other').content);
  });

  spec.extended('gives what only a snapshot needs to nobody, until a fork needs it', async (context) => {
    await recorded(context.store, 'a', [user('go'), asks('x'), answers('x')]);
    await context.store.saveSnapshot('a', { id: 'before' });
    await context.store.saveMessages('a', [user('go')]);
    assert.deepEqual(await found(await context.reopen()), ['a:0']);
    assert.equal((await context.store.loadSnapshot('a', 'before'))?.messages.length, 3);
    await context.store.fork('a', { at: 'before', agentId: 'b' });
    assert.deepEqual(await found(await context.reopen()), ['a:0', 'b:1', 'b:2']);
    await context.store.delete('b');
    assert.deepEqual(await found(await context.reopen()), ['a:0']);
  });
}
