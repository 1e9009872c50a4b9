import assert from 'node:assert/strict';
import type { ToolCallState } from '../model/tool-call.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import { callLines, completes } from './call-checks.ts';
import type { Spec } from './harness.ts';
import { answers, asks, createAgent, user } from './samples.ts';

/** Tool calls that a record opened, which a message asks for later, or never. */
export function unlinkedCallsSpec(spec: Spec): void {
  spec.describe('tool calls that records open', () => {
    askedForLate(spec);
    ownChanges(spec);
    listedOnce(spec);
  });
}

async function opens(
  store: Store,
  agentId: string,
  toolCallId: string,
  state: ToolCallState = 'completed',
): Promise<void> {
  await store.saveToolCallRecords(agentId, [{ toolCallId, toolName: 'search', state }]);
}

/** Each call with its message: `seq id state @message`. */
async function links(store: Store, agentId: string): Promise<string[]> {
  const calls = await store.loadToolCallRecords(agentId);
  return calls.map(({ callSeq, toolCallId, state, messageSeq }) =>
    [callSeq, toolCallId, state, messageSeq === undefined ? '' : `@${messageSeq}`].join(' ').trim(),
  );
}

/** The first call is asked for in message 3, after the second one in message 1; both are answered right away. */
async function outOfOrder(store: Store, state: ToolCallState = 'completed'): Promise<void> {
  await createAgent(store, 'a', [user('x')]);
  await opens(store, 'a', 'early', state);
  await store.appendMessages('a', [asks('one'), answers('one')]);
  await completes(store, 'a', { toolCallId: 'one', output: 1 });
  await store.appendMessages('a', [asks('early'), answers('early')]);
  await store.appendMessages('a', [asks('two'), answers('two'), user('y')]);
  await completes(store, 'a', { toolCallId: 'two', output: 2 });
}

const BETWEEN = ['0 early completed', '1 one completed @1'];
const ALL = ['0 early completed @3', '1 one completed @1', '2 two completed @5'];

function askedForLate(spec: Spec): void {
  spec.test('a fork has one that only a later message asks for as one that none does', async (context) => {
    const { store } = context;
    await outOfOrder(store);
    for (const at of [1, 2, 3, 4, 5, 7]) await store.fork('a', { at, agentId: `at ${at}` });
    const again = await context.reopen();
    assert.deepEqual(await links(again, 'at 1'), []);
    assert.deepEqual(await links(again, 'at 2'), ['0 early completed', '1 one sealed @1']);
    assert.deepEqual(await links(again, 'at 3'), BETWEEN);
    assert.deepEqual(await links(again, 'at 4'), ['0 early sealed @3', '1 one completed @1']);
    assert.deepEqual(await links(again, 'at 5'), ALL.slice(0, 2));
    assert.deepEqual(await links(again, 'at 7'), ALL);
    await again.appendMessages('at 3', [user('instead'), asks('early', 'next')]);
    assert.deepEqual(await links(await context.reopen(), 'at 3'), [
      '0 early completed @4',
      '1 one completed @1',
      '2 next pending @4',
    ]);
  });

  spec.test('and so does a fork of a fork, and one that began before the message', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x')]);
    await opens(store, 'a', 'early');
    await store.appendMessages('a', [asks('one'), answers('one')]);
    await completes(store, 'a', { toolCallId: 'one', output: 1 });
    await store.fork('a', { agentId: 'before' });
    await store.fork('before', { agentId: 'of it' });
    await store.appendMessages('a', [asks('early'), answers('early')]);
    await store.fork('a', { agentId: 'after' });
    await store.appendMessages('after', [user('y')]);
    await store.fork('after', { agentId: 'between', at: 3 });
    const again = await context.reopen();
    for (const id of ['before', 'of it', 'between']) assert.deepEqual(await links(again, id), BETWEEN, id);
    for (const id of ['a', 'after']) assert.deepEqual(await links(again, id), ALL.slice(0, 2), id);
  });

  spec.test('one that is open by then is sealed there', async (context) => {
    await outOfOrder(context.store, 'executing');
    const fork = await context.store.fork('a', { at: 3 });
    const store = await context.reopen();
    assert.deepEqual(await links(store, fork), ['0 early sealed', '1 one completed @1']);
    assert.equal((await links(store, 'a'))[0], '0 early executing @3');
  });

  spec.test('one that awaits a decision awaits it there, too', async (context) => {
    await outOfOrder(context.store, 'approval_required');
    const fork = await context.store.fork('a', { at: 3 });
    await context.store.decideApproval(fork, 'early', { decision: 'allow' });
    const store = await context.reopen();
    assert.deepEqual(await links(store, fork), ['0 early approved', '1 one completed @1']);
    assert.equal((await links(store, 'a'))[0], '0 early approval_required @3');
  });

  for (const forked of [false, true]) {
    const where = forked ? ' that a fork needs' : '';
    spec.test(`a rewrite${where} between the messages leaves it without one`, async (context) => {
      const { store } = context;
      await outOfOrder(store);
      if (forked) await store.fork('a', { agentId: 'b' });
      await store.saveSnapshot('a', { id: 's', messages: (await store.loadMessages('a')).slice(0, 3) });
      const messages = (await store.loadMessages('a')).slice(0, 3);
      await store.saveMessages('a', [...messages, user('instead')]);
      assert.deepEqual(await links(await context.reopen(), 'a'), BETWEEN);
      const again = await context.reopen();
      await again.fork('a', { at: 's', agentId: 'c' });
      assert.deepEqual(await links(again, 'c'), BETWEEN);
      if (forked) assert.deepEqual(await links(again, 'b'), ALL);
      await again.appendMessages('a', [asks('early')]);
      assert.deepEqual(await links(await context.reopen(), 'a'), ['0 early completed @4', BETWEEN[1]]);
    });
  }

  spec.test('a rewritten fork keeps it when its parent is gone', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x'), asks('one'), answers('one')]);
    await completes(store, 'a', { toolCallId: 'one', output: 1 });
    await opens(store, 'a', 'early');
    await store.appendMessages('a', [asks('two'), answers('two')]);
    await store.appendMessages('a', [asks('early'), answers('early'), user('z'.repeat(1_000_000))]);
    await store.fork('a', { agentId: 'b', at: 5 });
    await store.saveMessages('b', (await store.loadMessages('b')).slice(0, 3));
    assert.deepEqual(await links(store, 'b'), ['0 one completed @1', '1 early completed']);
    await store.delete('a');
    assert.deepEqual(await links(await context.reopen(), 'b'), ['0 one completed @1', '1 early completed']);
  });
}

function ownChanges(spec: Spec): void {
  spec.test("what a fork does to an inherited one shows in no fork of the fork's", async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x'), asks('one'), answers('one')]);
    await opens(store, 'a', 'early');
    await store.fork('a', { agentId: 'b' });
    await store.fork('b', { agentId: 'c' });
    const inherited = ['0 one pending @1', '1 early completed'];
    await completes(store, 'b', { toolCallId: 'one', output: 'of b' });
    await store.appendMessages('b', [asks('early')]);
    const again = await context.reopen();
    assert.deepEqual(await links(again, 'b'), ['0 one completed @1', '1 early completed @3']);
    for (const id of ['a', 'c']) assert.deepEqual(await links(again, id), inherited, id);
  });

  spec.test('a new tail that asks for one leaves a fork what it shares', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x'), user('y')]);
    await opens(store, 'a', 'early');
    await store.fork('a', { agentId: 'b' });
    await store.saveMessages('a', [user('x'), asks('early')]);
    const again = await context.reopen();
    assert.deepEqual(await links(again, 'a'), ['0 early completed @1']);
    assert.deepEqual(await links(again, 'b'), ['0 early completed']);
  });

  spec.extended('a snapshot of a fork keeps how the fork began', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x')]);
    await opens(store, 'a', 'early', 'executing');
    await store.appendMessages('a', [asks('one'), answers('one')]);
    await store.fork('a', { agentId: 'b' });
    await store.saveSnapshot('b', { id: 's' });
    await store.saveMessages('b', [user('anew')]);
    await completes(store, 'a', { toolCallId: 'early', output: 1 });
    await store.fork('b', { at: 's', agentId: 'c' });
    const again = await context.reopen();
    assert.deepEqual(await links(again, 'c'), ['0 early sealed', '1 one pending @1']);
    assert.equal((await links(again, 'a'))[0], '0 early completed');
    assert.deepEqual((await again.checkConsistency()).issues, []);
  });

  spec.test('a fork of a snapshot has them, whatever the agent has by then', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [asks('one'), answers('one')]);
    await completes(store, 'a', { toolCallId: 'one', output: 1 });
    await opens(store, 'a', 'early');
    await store.appendMessages('a', [asks('two'), answers('two')]);
    await store.saveSnapshot('a', { id: 's' });
    await store.saveMessages('a', [user('anew')]);
    const fork = await context.store.fork('a', { at: 's' });
    assert.deepEqual((await links(await context.reopen(), fork))[1], '1 early completed');
    const again = await context.reopen();
    await again.appendMessages(fork, [asks('early')]);
    assert.deepEqual((await links(await context.reopen(), fork))[1], '1 early completed @4');
  });
}

function listedOnce(spec: Spec): void {
  async function listed(store: ExtendedStore): Promise<string[]> {
    const calls = await store.queryToolCalls({ order: 'asc' });
    assert.deepEqual((await store.checkConsistency()).issues, []);
    assert.equal((await store.aggregateStats({})).totalToolCalls, calls.length);
    return calls.map(({ agentId, callSeq }) => `${agentId}:${callSeq}`).sort();
  }

  spec.extended('are listed once when a fork rewrites what came before its beginning', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x'), user('y'), user('z')]);
    await store.fork('a', { agentId: 'b' });
    await opens(store, 'b', 'early');
    await store.appendMessages('b', [user('of b')]);
    await store.fork('b', { agentId: 'c' });
    await store.saveMessages('b', [user('x'), user('other')]);
    assert.deepEqual(await listed(await context.reopen()), ['b:0']);
    for (const id of ['b', 'c']) assert.deepEqual(await callLines(context.store, id), ['0 early completed']);
    const again = await context.reopen();
    assert.deepEqual(await again.loadMessages('b'), [user('x'), user('other')]);
    assert.equal((await again.queryMessages({ agentId: 'b' })).length, 2);
    await again.fork('b', { agentId: 'd' });
    await again.saveMessages('b', [user('anew')]);
    assert.deepEqual(await listed(again), ['b:0']);
    await again.delete('b');
    assert.deepEqual(await listed(again), ['c:0']);
    assert.deepEqual(await callLines(again, 'd'), ['0 early completed']);
    await again.delete('c');
    assert.deepEqual(await listed(await context.reopen()), ['d:0']);
  });

  spec.extended('are listed once where a fork begins before its source does', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x')]);
    await opens(store, 'a', 'early', 'executing');
    await store.appendMessages('a', [asks('one'), answers('one'), user('y')]);
    await completes(store, 'a', { toolCallId: 'one', output: 1 });
    await store.fork('a', { agentId: 'b' });
    await store.fork('b', { agentId: 'c', at: 3 });
    assert.deepEqual(await callLines(store, 'c'), ['0 early sealed', '1 one completed 1']);
    const again = await context.reopen();
    assert.deepEqual(await listed(again), ['a:0', 'a:1', 'b:0']);
    assert.deepEqual(await again.loadMessages('c'), (await again.loadMessages('a')).slice(0, 3));
    await again.saveMessages('b', [user('x'), user('other')]);
    await again.delete('b');
    assert.deepEqual(await listed(again), ['a:0', 'a:1', 'c:0']);
    assert.deepEqual(await callLines(await context.reopen(), 'c'), ['0 early sealed', '1 one completed 1']);
  });

  spec.extended('are listed on each side once one of them asks for them', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x'), user('y')]);
    await opens(store, 'a', 'early');
    await store.fork('a', { agentId: 'b' });
    await store.saveMessages('a', [user('x'), user('other')]);
    assert.deepEqual(await listed(store), ['a:0']);
    await store.appendMessages('a', [asks('early')]);
    assert.deepEqual(await listed(await context.reopen()), ['a:0', 'b:0']);
  });

  spec.extended('pass to the living fork of a fork that is gone', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('x')]);
    await opens(store, 'a', 'early');
    await store.fork('a', { agentId: 'b' });
    await store.appendMessages('b', [user('y')]);
    await store.fork('b', { agentId: 'c' });
    await store.delete('b');
    await store.appendMessages('a', [asks('early')]);
    assert.deepEqual(await listed(await context.reopen()), ['a:0', 'c:0']);
  });
}
