import assert from 'node:assert/strict';
import { AgentNotFoundError, AlreadyDecidedError } from '../errors.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import type { ApprovalDecision, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { answers, asks, collect, createAgent, progress, refused, user, wrong } from './samples.ts';
import { outcomes, within } from './timing.ts';

/** An agent whose calls all await approval. */
async function awaiting(store: Store, agentId: string, ...ids: string[]): Promise<void> {
  await store.commit(agentId, {
    info: { status: 'awaiting_approval' },
    messages: [user('go'), asks(...ids)],
    toolCalls: ids.map((id) => ({ toolCallId: id, state: 'approval_required' })),
    expectedVersion: 0,
  });
}

async function callOf(store: Store, agentId: string, callSeq = 0): Promise<ToolCallRecord> {
  const call = (await store.loadToolCallRecords(agentId)).find((one) => one.callSeq === callSeq);
  assert.ok(call, `call ${callSeq} of ${agentId}`);
  return call;
}

export function decisionsSpec(spec: Spec): void {
  spec.describe('decisions', () => {
    deciding(spec);
    once(spec);
    besideTheHolder(spec);
    refusals(spec);
  });
}

function deciding(spec: Spec): void {
  spec.test('allow a call', async (context) => {
    await awaiting(context.store, 'a', 'x');
    const before = Date.now();
    const decided = await context.store.decideApproval('a', 'x', {
      decision: 'allow',
      by: 'ann',
      note: 'ok',
    });
    const stored = await callOf(await context.reopen(), 'a');
    assert.deepEqual(decided, stored);
    assert.equal(stored.state, 'approved');
    const { decidedAt, ...approval } = stored.approval;
    assert.deepEqual(approval, { required: true, decision: 'allow', decidedBy: 'ann', note: 'ok' });
    assert.ok(decidedAt instanceof Date && decidedAt.getTime() >= before - 1_000);
    assert.deepEqual(
      stored.auditTrail.map((entry) => entry.state),
      ['pending', 'approval_required', 'approved'],
    );
  });

  spec.test('deny a call, which ends it', async (context) => {
    await awaiting(context.store, 'a', 'x');
    await context.store.decideApproval('a', 'x', { decision: 'deny' });
    const stored = await callOf(await context.reopen(), 'a');
    assert.equal(stored.state, 'denied');
    assert.equal(stored.approval.decision, 'deny');
    assert.ok(!('decidedBy' in stored.approval) && !('note' in stored.approval) && !('output' in stored));
  });

  spec.test('can be made after a restart', async (context) => {
    await awaiting(context.store, 'a', 'x');
    await (await context.reopen()).decideApproval('a', 'x', { decision: 'allow' });
    assert.equal((await callOf(await context.reopen(), 'a')).state, 'approved');
  });

  spec.test('are about one call', async (context) => {
    await awaiting(context.store, 'a', 'x', 'y');
    await awaiting(context.store, 'b', 'x', 'y');
    await context.store.decideApproval('a', 'y', { decision: 'allow' });
    const store = await context.reopen();
    const states = async (id: string) => (await store.loadToolCallRecords(id)).map((call) => call.state);
    assert.deepEqual(await states('a'), ['approval_required', 'approved']);
    assert.deepEqual(await states('b'), ['approval_required', 'approval_required']);
  });

  spec.test('are about the newest waiting call where an id repeats, or the one named', async (context) => {
    await awaiting(context.store, 'a', 'x');
    for (let callSeq = 1; callSeq < 4; callSeq += 1) {
      await context.store.commit('a', {
        messages: [asks('x')],
        toolCalls: [{ toolCallId: 'x', callSeq, state: callSeq === 3 ? 'pending' : 'approval_required' }],
      });
    }
    const newest = await context.store.decideApproval('a', 'x', { decision: 'allow' });
    assert.equal(newest.callSeq, 2);
    const named = await context.store.decideApproval('a', 'x', { decision: 'deny', callSeq: 0 });
    assert.equal(named.callSeq, 0);
    const calls = await (await context.reopen()).loadToolCallRecords('a');
    assert.deepEqual(
      calls.map((call) => call.state),
      ['denied', 'approval_required', 'approved', 'pending'],
    );
  });

  spec.test('M6 leave one event each, with the call', async (context) => {
    await awaiting(context.store, 'a', 'x', 'y');
    await context.store.appendEvent('a', progress('before'));
    await context.store.decideApproval('a', 'x', { decision: 'allow', by: 'ann', note: 'ok' });
    const { approval } = await context.store.decideApproval('a', 'y', { decision: 'deny' });
    await assert.rejects(context.store.decideApproval('a', 'y', { decision: 'allow' }), AlreadyDecidedError);
    const store = await context.reopen();
    const [before, ...stored] = await collect(store.readEvents('a'));
    const call = { channel: 'control', type: 'tool-approval-response', toolName: 'search' };
    assert.deepEqual(
      stored.map(({ event }) => event),
      [
        { ...call, callSeq: 0, toolCallId: 'x', approved: true, by: 'ann', note: 'ok' },
        { ...call, callSeq: 1, toolCallId: 'y', approved: false },
      ],
    );
    assert.equal(before?.cursor, 1);
    assert.equal(stored.at(-1)?.cursor, 3);
    assert.equal(stored.at(-1)?.bookmark.timestamp, approval.decidedAt?.getTime());
    assert.equal(await store.appendEvent('a', progress('after')), 4);
    assert.equal((await store.loadInfo('a'))?.version, 1);
  });

  spec.shared('M6 wake who watches, in every process', async (context) => {
    await awaiting(context.store, 'a', 'x', 'y');
    const other = await context.another();
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const item of context.store.watch('a', { since: 0 })) {
        if (item.kind === 'event') seen.push(item.event.toolCallId);
        if (seen.length === 2) break;
      }
    })();
    await context.store.decideApproval('a', 'x', { decision: 'allow' });
    await other.decideApproval('a', 'y', { decision: 'allow' });
    await within(watching, 'watching decisions', 20_000);
    assert.deepEqual(seen, ['x', 'y']);
  });

  spec.extended('are asked for by listing the calls that wait', async (context) => {
    await awaiting(context.store, 'a', 'x', 'y');
    await context.store.decideApproval('a', 'x', { decision: 'allow' });
    const waiting = await (await context.reopen()).queryToolCalls({ state: 'approval_required' });
    assert.deepEqual(
      waiting.map((call) => [call.agentId, call.toolCallId]),
      [['a', 'y']],
    );
  });
}

function once(spec: Spec): void {
  const MANY: ApprovalDecision[] = Array.from({ length: 10 }, (_, n) => ({
    decision: n % 2 === 0 ? 'allow' : 'deny',
    by: `decider ${n}`,
  }));

  async function oneWins(stores: Store[], reader: () => Promise<Store>): Promise<void> {
    const [first = assert.fail('a store')] = stores;
    await awaiting(first, 'a', 'x');
    const calls = MANY.map((decision, n) =>
      (stores[n % stores.length] ?? first).decideApproval('a', 'x', decision),
    );
    const { values, errors } = await outcomes(calls);
    assert.equal(values.length, 1);
    for (const error of errors) assert.ok(error instanceof AlreadyDecidedError, String(error));
    assert.deepEqual(await callOf(await reader(), 'a'), values[0]);
  }

  spec.test('succeed once of ten at the same moment', async (context) => {
    await oneWins([context.store], () => context.reopen());
  });

  spec.shared('succeed once of ten at the same moment in several stores', async (context) => {
    const stores = [context.store, await context.another(), await context.another()];
    await oneWins(stores, () => context.reopen());
  });

  spec.test('are final', async (context) => {
    await awaiting(context.store, 'a', 'x');
    const first = await context.store.decideApproval('a', 'x', { decision: 'deny', by: 'ann' });
    const store = await context.reopen();
    for (const decision of ['allow', 'deny'] as const) {
      await assert.rejects(store.decideApproval('a', 'x', { decision, by: 'bob' }), AlreadyDecidedError);
    }
    assert.deepEqual(await callOf(store, 'a'), first);
  });

  spec.test('are final after the call has run, too', async (context) => {
    const { store } = context;
    await awaiting(store, 'a', 'x');
    await store.decideApproval('a', 'x', { decision: 'allow' });
    await store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'executing' }]);
    await assert.rejects(store.decideApproval('a', 'x', { decision: 'deny' }), AlreadyDecidedError);
    await store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'completed', output: 1 }]);
    await assert.rejects(store.decideApproval('a', 'x', { decision: 'deny' }), AlreadyDecidedError);
    assert.equal((await callOf(await context.reopen(), 'a')).output, 1);
  });
}

function besideTheHolder(spec: Spec): void {
  spec.test("don't disturb the lease's holder, whatever version it expects", async (context) => {
    const { store } = context;
    await awaiting(store, 'a', 'x', 'y');
    const version = (await store.loadInfo('a'))?.version;
    const lease = await store.acquireAgentLock('a');
    await store.decideApproval('a', 'x', { decision: 'allow' });
    assert.equal((await store.loadInfo('a'))?.version, version);
    await store.commit('a', { messages: [user('on')], lease, expectedVersion: version });
    await store.decideApproval('a', 'y', { decision: 'deny' });
    await store.commit('a', { messages: [user('and on')], lease });
    assert.equal((await (await context.reopen()).loadMessages('a')).length, 4);
  });

  spec.shared('are made by another store while the holder commits', async (context) => {
    const other = await context.another();
    const ids = Array.from({ length: 8 }, (_, n) => `x${n}`);
    await awaiting(context.store, 'a', ...ids);
    const lease = await context.store.acquireAgentLock('a');
    const holder = async () => {
      for (let n = 0; n < 20; n += 1) await context.store.appendMessages('a', [user(`${n}`)], { lease });
    };
    const deciders = ids.map((id) => other.decideApproval('a', id, { decision: 'allow' }));
    await Promise.all([holder(), ...deciders]);
    const agent = await (await context.reopen()).loadAgent('a');
    assert.equal(agent.messages.length, 22);
    assert.ok(agent.toolCalls.every((call) => call.state === 'approved'));
  });

  spec.test("aren't undone by a record that was made before them", async (context) => {
    const { store } = context;
    await awaiting(store, 'a', 'x');
    const stale = await callOf(store, 'a');
    const decided = await store.decideApproval('a', 'x', { decision: 'allow', by: 'ann', note: 'ok' });
    await store.saveToolCallRecords('a', [stale]);
    await store.saveToolCallRecords('a', [
      { toolCallId: 'x', state: 'pending', approval: { required: true } },
    ]);
    const stored = await callOf(await context.reopen(), 'a');
    assert.equal(stored.state, 'approved');
    assert.deepEqual(stored.approval, decided.approval);
  });

  spec.test('go with the call to its end', async (context) => {
    const { store } = context;
    await awaiting(store, 'a', 'x');
    const { approval } = await store.decideApproval('a', 'x', { decision: 'allow', by: 'ann' });
    await store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'executing' }]);
    await store.commit('a', {
      messages: [answers('x')],
      toolCalls: [{ toolCallId: 'x', state: 'completed', output: null }],
    });
    const stored = await callOf(await context.reopen(), 'a');
    assert.deepEqual(stored.approval, approval);
    assert.deepEqual(
      stored.auditTrail.map((entry) => entry.state),
      ['pending', 'approval_required', 'approved', 'executing', 'completed'],
    );
  });

  spec.test('to deny a call make what its holder still says about it void', async (context) => {
    await awaiting(context.store, 'a', 'x');
    const denied = await context.store.decideApproval('a', 'x', { decision: 'deny' });
    for (const state of ['executing', 'completed', 'failed'] as const) {
      await context.store.saveToolCallRecords('a', [{ toolCallId: 'x', state, output: state }]);
    }
    assert.deepEqual(await callOf(await context.reopen(), 'a'), denied);
  });
}

function refusals(spec: Spec): void {
  spec.test('are refused where there is nothing to decide', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [user('go'), asks('pending')]);
    await assert.rejects(store.decideApproval('nobody', 'x', { decision: 'allow' }), AgentNotFoundError);
    await refused(store.decideApproval('a', 'no such call', { decision: 'allow' }), 'toolCallId');
    await refused(store.decideApproval('a', 'pending', { decision: 'allow' }), 'toolCallId');
    await refused(store.decideApproval('a', 'pending', { decision: 'allow', callSeq: 7 }), 'callSeq');
    await assert.rejects(
      store.decideApproval('a', 'pending', { decision: 'deny' }),
      /of agent "a" awaits no/,
    );
    assert.equal((await callOf(await context.reopen(), 'a')).state, 'pending');
  });

  spec.test('are "allow" or "deny"', async (context) => {
    await awaiting(context.store, 'a', 'x');
    for (const decision of ['maybe', '', undefined, null, true]) {
      await refused(
        context.store.decideApproval('a', 'x', wrong({ decision })),
        'decision',
        String(decision),
      );
    }
    assert.equal((await callOf(await context.reopen(), 'a')).state, 'approval_required');
  });
}
