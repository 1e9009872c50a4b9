import { AlreadyDecidedError, ValidationError } from '../../src/errors.ts';
import type { ToolCallRecord, ToolCallUpdate } from '../../src/model/tool-call.ts';
import { isTerminal, stateRank } from '../../src/model/tool-call.ts';
import type { ApprovalDecision } from '../../src/store/store.ts';
import { askedIn, type Call, isAnswered, type ModelAgent, type Row } from './model-agent.ts';

/** Gives a key to each tool call that is stored. */
type NextKey = () => number;

function replaced(calls: readonly Call[], key: number, record: ToolCallRecord): Call[] {
  return calls.map((call) => (call.key === key ? { ...call, record } : call));
}

function nextSeq(calls: readonly Call[]): number {
  return Math.max(-1, ...calls.map((call) => call.record.callSeq)) + 1;
}

function opened(
  { key: writer, calls }: ModelAgent,
  nextKey: NextKey,
  at: number,
  part: Pick<ToolCallRecord, 'toolCallId' | 'toolName' | 'input'> & { messageSeq?: number },
): Call[] {
  const record: ToolCallRecord = {
    ...part,
    state: 'pending',
    isError: false,
    callSeq: nextSeq(calls),
    approval: { required: false },
    createdAt: new Date(at),
    updatedAt: new Date(at),
    auditTrail: [{ state: 'pending', at: new Date(at) }],
  };
  return [...calls, { key: nextKey(), writer, record }];
}

/** Opens the calls of a message's tool_use blocks, or adopts those that records opened before. */
export function openCalls(agent: ModelAgent, nextKey: NextKey, row: Row, messageSeq: number): void {
  for (const { id, name, input } of askedIn(row.text)) {
    const adopted = agent.calls.find(({ record }) => record.toolCallId === id && isWaiting(record));
    agent.calls = adopted
      ? replaced(agent.calls, adopted.key, { ...adopted.record, messageSeq })
      : opened(agent, nextKey, row.createdAt, { toolCallId: id, toolName: name, input, messageSeq });
  }
}

/** Opened by a record, and a message may still ask for it. */
export function isWaiting({ messageSeq, state }: ToolCallRecord): boolean {
  return messageSeq === undefined && state !== 'sealed';
}

/** Number of calls up to the last one that the first `position` messages ask for. */
export function countWithin(calls: readonly Call[], position: number): number {
  const asked = calls.filter(({ record }) => (record.messageSeq ?? position) < position);
  return nextSeq(asked);
}

/**
 * The calls up to the last one that a message before this position asks for, and from there to the first one
 * that a later message asks for.
 */
export function callsBeforeCut(calls: readonly Call[], position: number): Call[] {
  const count = countWithin(calls, position);
  const first = calls.slice(count).find(({ record }) => (record.messageSeq ?? -1) >= position);
  return calls
    .slice(0, first?.record.callSeq ?? calls.length)
    .map((call) => (isUnasked(call, position) ? { ...call, record: unasked(call.record) } : call));
}

/** Whether a message asked for it, but none of the first ones. */
export function isUnasked({ record }: Call, position: number): boolean {
  return (record.messageSeq ?? -1) >= position;
}

function unasked({ messageSeq: _, ...record }: ToolCallRecord): ToolCallRecord {
  return record;
}

export function applyUpdate(agent: ModelAgent, nextKey: NextKey, update: ToolCallUpdate, at: number): void {
  const same = agent.calls.filter(({ record }) => record.toolCallId === update.toolCallId).reverse();
  const open = same.find(({ record }) => !isTerminal(record.state));
  const call =
    update.callSeq === undefined
      ? (open ?? same[0])
      : same.find(({ record }) => record.callSeq === update.callSeq);
  if (call) {
    agent.calls = replaced(agent.calls, call.key, merged(call.record, update, at));
    return;
  }
  if (update.callSeq !== undefined) throw new ValidationError('callSeq', 'no such call');
  if (update.toolName === undefined) throw new ValidationError('toolName', 'needed');
  const { toolCallId, toolName, input = {} } = update;
  const before = new Set(agent.calls);
  agent.calls = opened(agent, nextKey, at, { toolCallId, toolName, input });
  agent.calls = agent.calls.map((one) => {
    if (before.has(one)) return one;
    const record = merged(one.record, update, at);
    // Its trail begins with the state that it came with.
    return { ...one, record: { ...record, auditTrail: record.auditTrail.slice(-1) } };
  });
}

function merged(record: ToolCallRecord, update: ToolCallUpdate, at: number): ToolCallRecord {
  if (isTerminal(record.state)) {
    const denied = record.state === 'denied' && record.approval.decision === 'deny';
    const older = update.state !== undefined && stateRank(update.state) < stateRank(record.state);
    const different =
      (update.state !== undefined && update.state !== record.state) ||
      ('output' in update && JSON.stringify(update.output) !== JSON.stringify(record.output));
    if (different && !denied && !older) throw new ValidationError('state', 'a terminal call never changes');
    return record;
  }
  const state =
    update.state !== undefined && stateRank(update.state) > stateRank(record.state)
      ? update.state
      : record.state;
  const ended = state === 'completed' || state === 'failed';
  const startedAt = record.startedAt ?? (state === 'executing' ? new Date(at) : undefined);
  const completedAt = ended ? new Date(at) : undefined;
  const isError = update.isError ?? (record.isError || state === 'failed');
  const elapsed = startedAt && completedAt ? completedAt.getTime() - startedAt.getTime() : undefined;
  const durationMs = update.durationMs ?? record.durationMs ?? elapsed;
  return {
    ...record,
    ...('input' in update ? { input: update.input } : {}),
    ...('output' in update ? { output: update.output } : {}),
    ...(update.error === undefined ? {} : { error: update.error }),
    state,
    isError,
    approval: state === 'approval_required' ? { ...record.approval, required: true } : record.approval,
    ...(startedAt ? { startedAt } : {}),
    ...(completedAt ? { completedAt } : {}),
    ...(durationMs === undefined ? {} : { durationMs }),
    auditTrail:
      state === record.state ? record.auditTrail : [...record.auditTrail, { state, at: new Date(at) }],
  };
}

export function decide(
  agent: ModelAgent,
  toolCallId: string,
  { decision, by, note, callSeq }: ApprovalDecision,
): ToolCallRecord {
  const same = agent.calls
    .filter(({ record }) => record.toolCallId === toolCallId)
    .filter(({ record }) => callSeq === undefined || record.callSeq === callSeq)
    .reverse();
  const waiting = same.find(({ record }) => record.state === 'approval_required');
  if (!waiting) {
    const decided = same.find(({ record }) => record.approval.decision !== undefined);
    if (!decided) throw new ValidationError('toolCallId', 'awaits no approval');
    throw new AlreadyDecidedError(agent.id, toolCallId, decided.record.approval.decision ?? '');
  }
  const state = decision === 'allow' ? 'approved' : 'denied';
  const at = new Date(agent.lastAt);
  const record: ToolCallRecord = {
    ...waiting.record,
    state,
    approval: {
      required: true,
      decision,
      decidedAt: at,
      ...(by === undefined ? {} : { decidedBy: by }),
      ...(note === undefined ? {} : { note }),
    },
    auditTrail: [...waiting.record.auditTrail, { state, at }],
  };
  agent.calls = replaced(agent.calls, waiting.key, record);
  const { callSeq: seq, toolName } = record;
  const said = { ...(by === undefined ? {} : { by }), ...(note === undefined ? {} : { note }) };
  const call = { callSeq: seq, toolCallId, toolName };
  const type = 'tool-approval-response';
  agent.events = [
    ...agent.events,
    { channel: 'control', type, ...call, approved: decision === 'allow', ...said },
  ];
  return record;
}

/** The first calls, as a fork with these rows has them: shared where the result is there, else a copy of its own. */
export function inheritedCalls(
  calls: readonly Call[],
  rows: readonly Row[],
  count: number,
  writer: number,
  nextKey: NextKey,
): Call[] {
  return calls
    .filter(({ record }) => record.callSeq < count)
    .map((call) => {
      if (isUnasked(call, rows.length)) {
        const record = unasked(call.record);
        return { key: nextKey(), writer, record: isSettled(record) ? record : sealed(record) };
      }
      const { messageSeq, state } = call.record;
      if (messageSeq === undefined ? isTerminal(state) : isAnswered(rows, call.record)) return call;
      if (call.record.state === 'approval_required') return { ...call, key: nextKey(), writer };
      return { key: nextKey(), writer, record: sealed(call.record) };
    });
}

/** In a fork that sees nobody ask for it. */
function isSettled({ state }: ToolCallRecord): boolean {
  return isTerminal(state) || state === 'approval_required';
}

function sealed({ output: _, ...record }: ToolCallRecord): ToolCallRecord {
  const at = record.auditTrail.at(-1)?.at ?? record.createdAt;
  const auditTrail = [...record.auditTrail, { state: 'sealed' as const, at }];
  return { ...record, state: 'sealed', isError: true, error: 'cut off by a fork', auditTrail };
}
