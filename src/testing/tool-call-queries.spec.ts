import assert from 'node:assert/strict';
import type { TurnCommit } from '../model/agent.ts';
import type { Message } from '../model/message.ts';
import type { ToolCallQueryFilter } from '../store/filters.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { checksPages, checksRanges, ignoresUndefined, refusesBadFilters } from './query-checks.ts';
import { answers, asks, createAgent, minute, sameJson, toolUse, user, wrong } from './samples.ts';

/** What was found, oldest first, as `agent:callSeq`. */
async function found(store: ExtendedStore, filter: ToolCallQueryFilter = {}): Promise<string[]> {
  const calls = await store.queryToolCalls({ order: 'asc', ...filter });
  return calls.map((call) => `${call.agentId}:${call.callSeq}`);
}

function loose(store: ExtendedStore) {
  return (filter: Record<string, unknown>) => store.queryToolCalls(wrong(filter));
}

function uses(...names: string[]): Message {
  return { role: 'assistant', content: names.map((name, n) => toolUse(`${name}${n}`, name)) };
}

async function create(store: Store, agentId: string, minutes: number, change: TurnCommit): Promise<void> {
  const at = minute(minutes);
  await store.commit(agentId, { info: { createdAt: at }, at, expectedVersion: 0, ...change });
}

/** One call in each kind of state: 0 pending, 1 awaiting, 2 approved, 3 denied, 4 completed, 5 failed. */
async function oneOfEach(store: Store, agentId: string, minutes = 0): Promise<void> {
  const ids = ['pending', 'awaiting', 'approved', 'denied', 'completed', 'failed'];
  await create(store, agentId, minutes, {
    messages: [user('go'), asks(...ids)],
    toolCalls: [
      ...['awaiting', 'approved', 'denied'].map((id) => ({
        toolCallId: id,
        state: 'approval_required' as const,
      })),
      { toolCallId: 'completed', state: 'completed', output: 0 },
      { toolCallId: 'failed', state: 'failed', error: 'no' },
    ],
  });
  await store.decideApproval(agentId, 'approved', { decision: 'allow' });
  await store.decideApproval(agentId, 'denied', { decision: 'deny' });
}

export function toolCallQueriesSpec(spec: Spec): void {
  spec.describe('queryToolCalls', () => {
    filtering(spec);
    ordering(spec);
    ofForks(spec);

    spec.extended('refuses what it does not understand, by name', async ({ store }) => {
      await createAgent(store, 'a', [asks('x')]);
      await refusesBadFilters(loose(store), {
        agentId: ['', 1, null],
        toolName: [1, null],
        state: ['done', '', 1, null],
        isError: ['true', 1, 0, null],
        hasApproval: ['true', 1, 0, null],
        sortBy: ['createdAt'],
        toolCallId: ['x'],
      });
    });

    spec.extended('takes undefined for absent', async ({ store }) => {
      await createAgent(store, 'a', [asks('x')]);
      await ignoresUndefined(loose(store), ['agentId', 'toolName', 'state', 'isError', 'hasApproval']);
    });
  });
}

function filtering(spec: Spec): void {
  spec.extended('gives calls as loadToolCallRecords does, each with its agent', async (context) => {
    await create(context.store, 'a', 0, {
      messages: [{ role: 'assistant', content: [toolUse('x', 'search', { z: 1, a: '\u0000' })] }, asks('y')],
      toolCalls: [{ toolCallId: 'x', state: 'completed', output: { z: false, a: [] } }],
    });
    const store = await context.reopen();
    const records = await store.queryToolCalls({ agentId: 'a', order: 'asc' });
    const loaded = await store.loadToolCallRecords('a');
    assert.equal(loaded.length, 2);
    assert.deepEqual(
      records,
      loaded.map((record) => ({ agentId: 'a', ...record })),
    );
    sameJson(records[0]?.input, { z: 1, a: '\u0000' });
    sameJson(records[0]?.output, { z: false, a: [] });
    assert.ok(!('output' in (records[1] ?? {})));
    assert.deepEqual(await store.queryToolCalls({ order: 'asc' }), records);
  });

  spec.extended('filters by state, error and approval, of one agent and of all', async (context) => {
    await oneOfEach(context.store, 'a');
    const store = await context.reopen();
    for (const agentId of ['a', undefined]) {
      const by = async (filter: ToolCallQueryFilter) =>
        (await found(store, { agentId, ...filter })).map((id) => Number(id.slice(2)));
      assert.deepEqual(await by({}), [0, 1, 2, 3, 4, 5]);
      assert.deepEqual(await by({ state: 'pending' }), [0]);
      assert.deepEqual(await by({ state: 'approval_required' }), [1]);
      assert.deepEqual(await by({ state: 'approved' }), [2]);
      assert.deepEqual(await by({ state: 'executing' }), []);
      assert.deepEqual(await by({ state: 'denied' }), [3]);
      assert.deepEqual(await by({ state: 'completed' }), [4]);
      assert.deepEqual(await by({ state: 'failed' }), [5]);
      assert.ok((await by({ isError: true })).includes(5));
      assert.ok(!(await by({ isError: false })).includes(5));
      assert.deepEqual(await by({ isError: true, state: 'failed' }), [5]);
      assert.deepEqual(await by({ isError: false, state: 'completed' }), [4]);
      assert.deepEqual(await by({ hasApproval: true }), [1, 2, 3]);
      assert.deepEqual(await by({ hasApproval: false }), [0, 4, 5]);
      assert.deepEqual(await by({ hasApproval: true, state: 'approved' }), [2]);
      assert.deepEqual(await by({ hasApproval: true, isError: false, state: 'completed' }), []);
    }
  });

  spec.extended(
    'keeps every kind of error apart, completed calls with an error included',
    async (context) => {
      await create(context.store, 'a', 0, {
        messages: [asks('fine', 'told', 'failed')],
        toolCalls: [
          { toolCallId: 'fine', state: 'completed', output: '' },
          { toolCallId: 'told', state: 'completed', output: 'Error: no', isError: true },
          { toolCallId: 'failed', state: 'failed' },
        ],
      });
      const store = await context.reopen();
      assert.deepEqual(await found(store, { isError: true }), ['a:1', 'a:2']);
      assert.deepEqual(await found(store, { agentId: 'a', isError: false }), ['a:0']);
    },
  );

  spec.extended('filters by tool name, literally, and combines all filters', async (context) => {
    const names = ['bash', 'Bash', 'ba_h', 'bash'];
    for (const [n, agentId] of ['a', 'b'].entries()) {
      await create(context.store, agentId, n, {
        messages: [uses(...names)],
        toolCalls: [
          { toolCallId: 'bash3', state: 'failed', approval: { required: true, decision: 'allow' } },
        ],
      });
    }
    const store = await context.reopen();
    assert.deepEqual(await found(store, { toolName: 'bash' }), ['a:0', 'a:3', 'b:0', 'b:3']);
    assert.deepEqual(await found(store, { toolName: 'ba_h' }), ['a:2', 'b:2']);
    assert.deepEqual(await found(store, { toolName: '%' }), []);
    assert.deepEqual(await found(store, { toolName: 'bash', agentId: 'b' }), ['b:0', 'b:3']);
    assert.deepEqual(await found(store, { toolName: 'bash', isError: true }), ['a:3', 'b:3']);
    const all = {
      agentId: 'b',
      toolName: 'bash',
      state: 'failed',
      isError: true,
      hasApproval: true,
    } as const;
    assert.deepEqual(await found(store, all), ['b:3']);
    assert.deepEqual(await found(store, { ...all, createdAfter: minute(1), createdBefore: minute(2) }), [
      'b:3',
    ]);
    assert.deepEqual(await found(store, { ...all, createdBefore: minute(1) }), []);
    assert.deepEqual(await found(store, { ...all, agentId: 'nobody' }), []);
  });

  spec.extended('filters by time, from and including, up to and excluding', async (context) => {
    await create(context.store, 'a', 0, { messages: [asks('x')] });
    for (let n = 1; n < 10; n += 1) {
      await context.store.commit('a', { messages: [asks('x')], at: minute(n) });
    }
    // What happens to a call later doesn't move it.
    await context.store.saveToolCallRecords('a', [{ toolCallId: 'x', callSeq: 0, state: 'completed' }]);
    const store = await context.reopen();
    const minutesOf = (other: ToolCallQueryFilter) => async (range: ToolCallQueryFilter) =>
      (await found(store, { ...range, ...other })).map((id) => Number(id.slice(2)));
    await checksRanges(minutesOf({}));
    await checksRanges(minutesOf({ agentId: 'a' }));
    await checksRanges(minutesOf({ toolName: 'search' }));
    await checksRanges(minutesOf({ agentId: 'a', isError: false, hasApproval: false }));
  });
}

function ordering(spec: Spec): void {
  spec.extended('orders those of one agent by callSeq, those of all by time', async (context) => {
    await create(context.store, 'a', 0, { messages: [asks('x', 'x', 'y')] });
    await create(context.store, 'b', 1, { messages: [asks('x')] });
    await context.store.commit('a', { messages: [asks('x')], at: minute(2) });
    const store = await context.reopen();
    assert.deepEqual(await found(store, { agentId: 'a' }), ['a:0', 'a:1', 'a:2', 'a:3']);
    const all = await found(store);
    assert.deepEqual(all.slice(0, 3).sort(), ['a:0', 'a:1', 'a:2']);
    assert.deepEqual(all.slice(3), ['b:0', 'a:3']);
    const newestFirst = await store.queryToolCalls({ agentId: 'a', limit: 2 });
    assert.deepEqual(
      newestFirst.map((call) => call.callSeq),
      [3, 2],
    );
  });

  spec.extended('gives 100 by default, and pages', async (context) => {
    const ids = (count: number) => Array.from({ length: count }, (_, n) => `x${n}`);
    await createAgent(context.store, 'a', [asks(...ids(60)), asks(...ids(40))]);
    await createAgent(context.store, 'b', [asks(...ids(20))]);
    await checksPages(loose(await context.reopen()));
    await createAgent(context.store, 'c', [uses(...new Array<string>(120).fill('other'))]);
    const store = await context.reopen();
    const with_ = (other: ToolCallQueryFilter) => (filter: Record<string, unknown>) =>
      store.queryToolCalls(wrong({ ...other, ...filter }));
    await checksPages(with_({ agentId: 'c' }));
    await checksPages(with_({ toolName: 'other' }));
    await checksPages(with_({ agentId: 'c', state: 'pending', isError: false }));
  });
}

function ofForks(spec: Spec): void {
  spec.extended('gives a fork what it inherited, asked by its id', async (context) => {
    await create(context.store, 'a', 0, {
      messages: [asks('x'), answers('x'), asks('y')],
      toolCalls: [{ toolCallId: 'x', state: 'completed', output: 7 }],
    });
    const fork = await context.store.fork('a', { at: 2 });
    await context.store.appendMessages(fork, [asks('own')]);
    const store = await context.reopen();
    const [own, inherited, ...more] = await store.queryToolCalls({ agentId: fork });
    assert.deepEqual(more, []);
    assert.deepEqual([own?.agentId, own?.callSeq, own?.toolCallId], [fork, 1, 'own']);
    assert.deepEqual([inherited?.agentId, inherited?.callSeq, inherited?.output], [fork, 0, 7]);
    assert.deepEqual(await found(store, { agentId: fork, state: 'completed' }), [`${fork}:0`]);
    assert.deepEqual(await found(store, { agentId: fork, toolName: 'search', limit: 1 }), [`${fork}:0`]);
  });

  spec.extended(
    'gives each stored call once over all agents, a cut-off one under its fork',
    async (context) => {
      await create(context.store, 'a', 0, {
        messages: [asks('x'), answers('x'), asks('y')],
        toolCalls: [{ toolCallId: 'x', state: 'completed', output: 7 }],
      });
      await context.store.fork('a', { agentId: 'b' });
      const store = await context.reopen();
      assert.deepEqual((await found(store)).sort(), ['a:0', 'a:1', 'b:1']);
      assert.deepEqual(await found(store, { state: 'sealed' }), ['b:1']);
      assert.deepEqual(await found(store, { state: 'pending' }), ['a:1']);
      assert.deepEqual(await found(store, { agentId: 'b' }), ['b:0', 'b:1']);
    },
  );

  spec.extended('leaves a fork its own copy, also after it rewrote what it inherited', async (context) => {
    await create(context.store, 'a', 0, { messages: [asks('x'), user('then')] });
    await context.store.fork('a', { agentId: 'b' });
    await context.store.saveMessages('b', [asks('x'), user('another way')]);
    await context.store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'executing' }]);
    const store = await context.reopen();
    assert.deepEqual(await found(store, { state: 'sealed' }), ['b:0']);
    assert.deepEqual(await found(store, { agentId: 'b', state: 'sealed' }), ['b:0']);
    assert.deepEqual(await found(store, { state: 'executing' }), ['a:0']);
  });

  spec.extended('gives what a deleted agent called under its oldest living heir', async (context) => {
    await create(context.store, 'a', 0, {
      messages: [asks('x'), answers('x'), asks('y'), answers('y')],
      toolCalls: ['x', 'y'].map((id) => ({ toolCallId: id, state: 'completed', output: id })),
    });
    await context.store.fork('a', { agentId: 'b', at: 2 });
    await context.store.fork('a', { agentId: 'c' });
    await context.store.delete('a');
    const store = await context.reopen();
    assert.deepEqual((await found(store)).sort(), ['b:0', 'c:1']);
    assert.deepEqual(await found(store, { agentId: 'c' }), ['c:0', 'c:1']);
    await store.delete('b');
    assert.deepEqual((await found(await context.reopen())).sort(), ['c:0', 'c:1']);
  });

  spec.extended('gives calls that a rewrite replaced only where a fork still has them', async (context) => {
    const messages = [user('go'), asks('x'), answers('x')];
    const toolCalls = [{ toolCallId: 'x', state: 'completed' as const, output: 1 }];
    await create(context.store, 'a', 0, { messages, toolCalls });
    await context.store.saveSnapshot('a', { id: 'before' });
    await context.store.saveMessages('a', [user('go'), asks('z')]);
    assert.deepEqual(await found(await context.reopen()), ['a:0']);
    assert.deepEqual(await found(context.store, { state: 'completed' }), []);
    await context.store.fork('a', { at: 'before', agentId: 'b' });
    const store = await context.reopen();
    assert.deepEqual((await found(store)).sort(), ['a:0', 'b:0']);
    assert.deepEqual(await found(store, { state: 'completed' }), ['b:0']);
  });
}
