import assert from 'node:assert/strict';
import { LeaseNotHeldError } from '../../src/errors.ts';
import type { NewEvent, TurnCommit } from '../../src/model/agent.ts';
import { isTerminal } from '../../src/model/tool-call.ts';
import { asking, freeIds, freeIdsAfterCut, pick, toMessages, unanswered } from './drafts.ts';
import { isMootFork } from './model.ts';
import { isWaiting } from './model-calls.ts';
import type { Operation } from './operation.ts';
import type { Run } from './run.ts';
import { callView } from './views.ts';

type Of<O extends Operation['op']> = Extract<Operation, { op: O }>;

export async function create(run: Run, { name, narrow, info, messages }: Of<'create'>): Promise<void> {
  const agentId = `agent ${name}`;
  if (!narrow) {
    const createdAt = new Date(run.tick());
    await run.commit(agentId, {
      info: { ...info, createdAt },
      messages: toMessages(messages),
      expectedVersion: 0,
    });
    return;
  }
  const creates = !run.model.find(agentId);
  await run.write(
    agentId,
    async () => run.store.saveInfo(agentId, info),
    (at) => run.model.saveInfo(agentId, info, at),
  );
  if (creates) assert.equal((await run.store.loadInfo(agentId))?.version, 1);
}

export async function append(run: Run, act: Of<'append'>): Promise<void> {
  const agentId = run.agentId(act.agent);
  const messages = toMessages(act.messages);
  if (act.narrow) {
    await run.write(
      agentId,
      () => run.store.appendMessages(agentId, messages),
      (at) => {
        run.model.commit(agentId, { messages }, at);
      },
    );
    return;
  }
  const version = run.model.find(agentId)?.version ?? 1;
  const change: TurnCommit = { messages };
  if (act.events > 0) change.events = events(act.events, run.ticks);
  if (act.expect !== 'nothing') change.expectedVersion = act.expect === 'right' ? version : version + 5;
  if (act.operation) change.operationId = `operation ${run.ticks}`;
  // An instant long past is raised to the agent's last one.
  await run.commit(agentId, act.late ? { ...change, at: new Date(0) } : change, !act.late);
}

function events(count: number, n: number): NewEvent[] {
  const channels = ['progress', 'control', 'monitor'] as const;
  return Array.from({ length: count }, (_, i) => ({
    z: i,
    channel: channels[(n + i) % 3] ?? 'progress',
    type: `type ${i}`,
    a: ['\u0000', null],
  }));
}

export async function save(run: Run, { agent, keep, tail, ask }: Of<'save'>): Promise<void> {
  const agentId = run.agentId(agent);
  const found = run.model.find(agentId);
  const rows = found?.rows ?? [];
  const kept = keep % (rows.length + 1);
  const messages = [...rows.slice(0, kept).map((row) => JSON.parse(row.text)), ...toMessages(tail)];
  const [free] = found ? freeIdsAfterCut(found, kept) : [];
  if (ask && found && free !== undefined) messages.push(asking([free], found));
  await run.write(
    agentId,
    () => run.store.saveMessages(agentId, messages),
    (at) => run.model.saveMessages(agentId, messages, at),
  );
}

export async function ask(run: Run, { agent, calls, approval, narrow }: Of<'ask'>): Promise<void> {
  const found = run.living(agent);
  if (!found) return;
  const ids = freeIds(found.rows, found.calls).slice(0, calls);
  if (ids.length === 0) return;
  const messages = [asking(ids, found)];
  const toolCalls = ids.map((toolCallId) => ({ toolCallId, state: 'approval_required' as const }));
  if (!approval) {
    await run.commit(found.id, { messages });
  } else if (narrow) {
    await run.commit(found.id, { messages });
    await run.write(
      found.id,
      () => run.store.saveToolCallRecords(found.id, toolCalls),
      (at) => run.model.saveToolCallRecords(found.id, toolCalls, at),
    );
  } else {
    await run.commit(found.id, { messages, toolCalls, info: { status: 'awaiting_approval' } });
  }
}

export async function record(run: Run, act: Of<'record'>): Promise<void> {
  const found = run.living(act.agent);
  const call = found && pick(found.calls, act.call)?.record;
  if (!found || !call) return;
  // A call that has ended takes what is older than its end, and nothing else.
  const said = isTerminal(call.state) ? { state: 'executing' as const } : act.record;
  const { toolCallId, callSeq } = call;
  const update = { toolCallId, ...(act.named ? { callSeq } : {}), ...said };
  // Without its callSeq the record may be about another call, to which it says more than that.
  const addressed = found.calls.filter(({ record: one }) => one.toolCallId === toolCallId);
  if (!act.named && addressed.length > 1 && addressed.every(({ record: one }) => isTerminal(one.state)))
    return;
  if (!act.narrow) {
    await run.commit(found.id, { toolCalls: [update] });
    return;
  }
  await run.write(
    found.id,
    () => run.store.saveToolCallRecords(found.id, [update]),
    (at) => run.model.saveToolCallRecords(found.id, [update], at),
  );
}

export async function finish(run: Run, act: Of<'finish'>): Promise<void> {
  const found = run.living(act.agent);
  const call = found && pick(unanswered(found), act.call)?.record;
  if (!found || !call) return;
  const { toolCallId, callSeq } = call;
  const content = [{ type: 'tool_result', tool_use_id: toolCallId, content: act.output }];
  const change: TurnCommit = { messages: [{ role: 'user', content }] };
  if (!isTerminal(call.state)) {
    const { durationMs } = act;
    const end = act.failed
      ? { toolCallId, callSeq, state: 'failed' as const, error: 'no', durationMs }
      : { toolCallId, state: 'completed' as const, output: act.output, durationMs };
    change.toolCalls = act.runsFirst ? [{ toolCallId, callSeq, state: 'executing' }, end] : [end];
  }
  await run.commit(found.id, change);
}

export async function contradict(run: Run, { agent, call: n }: Of<'contradict'>): Promise<void> {
  const found = run.living(agent);
  const ended = found?.calls.filter(({ record: one }) => isTerminal(one.state)) ?? [];
  const call = pick(ended, n)?.record;
  // Whether a denied call's sealed copy is still one that was denied isn't said anywhere.
  if (!found || !call || (call.state === 'sealed' && call.approval.decision === 'deny')) return;
  const { toolCallId, callSeq } = call;
  await run.commit(found.id, { toolCalls: [{ toolCallId, callSeq, state: 'completed', output: 'another' }] });
}

/** A record that comes before the message that asks for its call, which may come later, or never. */
export async function recordFirst(run: Run, { agent, state, alone }: Of<'record first'>): Promise<void> {
  const found = run.living(agent);
  if (!found) return;
  const waiting = found.calls.find(({ record: one }) => isWaiting(one));
  const [free] = freeIds(found.rows, found.calls);
  if (!alone && waiting) {
    await run.commit(found.id, { messages: [asking([waiting.record.toolCallId], found)] });
  } else if (free !== undefined) {
    const message = asking([free], found);
    const [block = assert.fail('a block')] = message.content;
    const { name, input } = block as unknown as { name: string; input: unknown };
    const record = { toolCallId: free, toolName: name, input, state };
    await run.commit(found.id, { toolCalls: [record] });
    if (!alone) await run.commit(found.id, { messages: [message] });
  }
}

export async function decide(run: Run, { agent, call: n, allow, by }: Of<'decide'>): Promise<void> {
  const found = run.living(agent);
  const waiting = found?.calls.filter(({ record: one }) => one.state === 'approval_required') ?? [];
  // Mostly one that can be decided.
  const call = found && pick(waiting.length > 0 && n % 4 > 0 ? waiting : found.calls, n)?.record;
  if (!found || !call) return;
  const { toolCallId, callSeq } = call;
  const decision = { decision: allow ? 'allow' : 'deny', by, callSeq } as const;
  const result = await run.both(
    () => run.store.decideApproval(found.id, toolCallId, decision),
    () => run.model.decideApproval(found.id, toolCallId, decision),
  );
  if (result) assert.equal(callView(result.actual), callView(result.expected));
}

export async function snapshot(run: Run, act: Of<'snapshot'>): Promise<void> {
  const agentId = run.agentId(act.agent);
  const rows = run.model.find(agentId)?.rows ?? [];
  const texts = rows.slice(0, act.position).map((row) => row.text);
  const other = { role: 'user' as const, content: [{ type: 'text', text: 'never said' }] };
  const messages = {
    all: undefined,
    some: texts.map((text) => JSON.parse(text)),
    others: [...texts.slice(0, 2).map((text) => JSON.parse(text)), other],
  }[act.of];
  const saved = { id: `s${act.name}`, lastSfpIndex: act.position, messages, metadata: { b: 1, a: act.of } };
  if (act.position % 2 === 0) {
    await run.commit(agentId, { snapshot: saved });
    return;
  }
  await run.write(
    agentId,
    () => run.store.saveSnapshot(agentId, saved),
    (at) => {
      run.model.commit(agentId, { snapshot: saved }, at);
    },
  );
}

export async function fork(run: Run, act: Of<'fork'>): Promise<void> {
  const agentId = run.agentId(act.agent);
  const parent = run.model.find(agentId);
  const length = parent?.rows.length ?? 0;
  // Which of two mistakes is told of isn't said anywhere: an agent that isn't there is one already.
  const nowhere = parent ? [length + 1, -1, 0.5, 'no such snapshot'][act.position % 4] : undefined;
  const at = {
    all: undefined,
    some: act.position % (length + 1),
    snapshot: pick(parent?.snapshots ?? [], act.position)?.id ?? 'no such snapshot',
    nowhere,
  }[act.at];
  if (parent && act.at !== 'nowhere') {
    const saved = act.at !== 'snapshot' || parent.snapshots.length > 0;
    if (saved && isMootFork(parent, at, run.model.forkPosition(agentId, at))) return;
  }
  // Now and then an id that is taken.
  const taken = act.position === 7 && (act.at === 'all' || act.at === 'some');
  const named = taken ? run.agentId(act.agent + 1) : `fork ${run.tick().getTime()}`;
  const options = { at, ...(act.named ? { agentId: named } : {}) };
  await run.both(
    () => run.store.fork(agentId, options),
    async () => {
      const id = act.named ? named : await newest(run);
      const info = await run.store.loadInfo(id);
      run.model.fork(agentId, at, { agentId: id, createdAt: info?.createdAt.getTime() ?? 0 });
      if (act.at === 'snapshot' && info) run.model.adoptSfpIndex(id, info.lastSfpIndex);
    },
  );
}

/** The id that the store has generated just now: the only one that the model doesn't know. */
async function newest(run: Run): Promise<string> {
  const unknown = (await run.store.list()).filter((id) => !run.model.find(id));
  assert.ok(unknown.length <= 1, `agents that nobody created: ${unknown}`);
  return unknown[0] ?? 'none';
}

export async function remove(run: Run, { agent }: Of<'delete'>): Promise<void> {
  const agentId = run.agentId(agent);
  await run.both(
    () => run.store.delete(agentId),
    () => run.model.delete(agentId),
  );
  assert.equal(await run.store.exists(agentId), false);
}

export async function lease(run: Run, { agent }: Of<'lease'>): Promise<void> {
  const found = run.living(agent);
  if (!found) return;
  const held = await run.store.acquireAgentLock(found.id);
  await assert.rejects(run.store.saveMessages(found.id, []), LeaseNotHeldError);
  await run.commit(found.id, { info: { status: 'running' }, lease: held });
  await held.release();
}

export async function repeat(run: Run, { which, changed }: Of<'repeat'>): Promise<void> {
  const sent = pick(run.sent, which);
  if (!sent) return;
  const { agentId } = sent;
  const change = changed ? { ...sent.change, info: { status: 'interrupted' as const } } : sent.change;
  const { operationId = '' } = change;
  if (!run.model.find(agentId)?.operations.has(operationId)) {
    await run.write(
      agentId,
      () => run.store.commit(agentId, change),
      (at) => run.model.commit(agentId, change, at),
    );
    return;
  }
  // Nothing is written, so nothing is stamped: what the agent has may be later, events for example.
  const before = await run.store.loadInfo(agentId);
  const result = await run.both(
    () => run.store.commit(agentId, change),
    () => run.model.commit(agentId, change, 0),
  );
  if (result) assert.deepEqual(result.actual, result.expected);
  assert.deepEqual(await run.store.loadInfo(agentId), before);
}
