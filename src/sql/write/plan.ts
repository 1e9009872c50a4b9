import { attemptsAfter, type StoredFailure } from '../../model/attempts.ts';
import { CallBook, type CallState, type Timing } from '../../model/call-book.ts';
import { commitInstants, timingAt } from '../../model/commit-instants.ts';
import { checkCompaction } from '../../model/commit-rules.ts';
import {
  type EncodedCommit,
  type EncodedDocument,
  endsStep,
  joinPayloads,
  snapshotEnd,
} from '../../model/encode-commit.ts';
import type { EncodedInfo } from '../../model/encode-info.ts';
import type { AgentState, HeadState } from '../agent-state.ts';
import { isShared } from '../agent-state.ts';
import { segmentAt } from '../chain.ts';
import { callColumns, callRow, kindBits, parseJson, STATUSES } from '../codec.ts';
import type { Batch, Op, Pin } from '../port/batch.ts';
import type { SqlValue } from '../port/values.ts';
import { ROLE_CODES, STATUS_CODES, TABLES } from '../schema/tables.ts';
import { eventRows } from './event-rows.ts';
import { infoOps } from './info-ops.ts';

/** What a commit comes to on a known state: the batch to write, and the state after it. */
export interface CommitPlan {
  batch: Batch;
  next: HeadState;
  calls: CallState[];
  /** Changed calls whose rows others share: everybody must have a row of their own first. */
  shared: number[];
  /** Some of them have no row on the agent's own branch yet: with one, the commit is another. */
  inherits: boolean;
}

export interface PlanOptions {
  now: number;
  /** For how long calls take: the agent's stopwatch, and what the clock says that nobody sets. */
  timing?: Pick<Timing, 'stopwatch' | 'monotonic'> | undefined;
  /** For a snapshot with messages of its own: their number if they are the conversation's beginning. */
  snapshotPosition?: number | undefined;
}

/**
 * Pure: the same state and change give the same plan. Every value that another writer could change in
 * between is guarded by the head's revision.
 */
export function planCommit(state: AgentState, change: EncodedCommit, options: PlanOptions): CommitPlan {
  const { keys, head } = state;
  const { at, messages: times } = commitInstants(change, options.now, head.lastAt);
  const messageCount = head.messageCount + change.messages.length;
  const book = new CallBook(state.known, {
    callCount: head.callCount,
    unlinkedCalls: head.unlinkedCalls,
    at,
    timing: timingAt(change, options.timing, options.now, at),
  });
  const messageRows = change.messages.map((message, i): SqlValue[] => {
    const seq = head.messageCount + i;
    const time = times[i] ?? at;
    book.addMessage(message, seq, time);
    return [
      keys.tree,
      head.branch,
      seq,
      keys.agent,
      ROLE_CODES[message.role],
      kindBits(message.kinds),
      book.callCount,
      time,
      message.payload,
    ];
  });
  for (const update of change.updates) book.apply(update);

  const ops: Op[] = [{ kind: 'insert', table: 'messages', rows: messageRows }];
  ops.push(...callOps(state, book), eventOp(state, change, at));
  if (change.info) ops.push(...infoOps(keys, change.info));
  if (change.todos) ops.push(todoOp(state, change.todos, at));
  if (change.usage.length > 0) ops.push(usageOp(state, change, at));
  if (change.compaction) ops.push(compactionOp(state, change.compaction, messageCount, at));
  if (head.hasDeltas && endsStep(change)) ops.push(deltasOp(keys));
  if (change.documents) ops.push(...documentOps(state, change.documents, at));
  const next = headAfter(head, change.info);
  next.version += 1;
  next.revision += 1;
  next.messageCount = messageCount;
  next.callCount = book.callCount;
  next.unlinkedCalls = book.unlinkedCalls;
  next.unansweredCalls += book.unansweredDelta;
  next.pendingApprovals += book.pendingDelta;
  next.usageCount += change.usage.length;
  noteAttempts(head, next, change, at);
  if (endsStep(change)) next.hasDeltas = false;
  const snapshot = change.snapshot && planSnapshot(state, next, change.snapshot, at, options);
  if (snapshot) ops.push(snapshot.op);
  if (change.operation) ops.push(...operationOps(state, change, next, at));
  const batch: Batch = {
    guard: {
      tree: keys.tree,
      agent: keys.agent,
      revision: head.revision,
      expectedVersion: change.expectedVersion ?? null,
      lease: change.lease ?? null,
      needsLease: true,
      events: change.events.length,
      at,
      set: next,
    },
    ops,
  };
  if (snapshot?.pin) batch.pin = snapshot.pin;
  // What counts is how the row is stored: the change itself may be what links it to a message.
  const shared = [...book.changed.values()].filter((call) =>
    isShared(state, state.known.withSeq(call.callSeq) ?? call),
  );
  const plan: CommitPlan = {
    batch,
    next,
    calls: [...book.changed.values(), ...book.opened],
    shared: shared.map((call) => call.callSeq),
    inherits: shared.some((call) => call.inherited),
  };
  for (const call of plan.calls) call.inherited = false;
  return plan;
}

/** Events under an operation id: the result to remember is guarded by the revision, nothing else changes. */
export function planEvents(state: AgentState, change: EncodedCommit, now: number): Batch {
  const { keys, head } = state;
  const at = change.at?.[0] ?? now;
  return {
    guard: {
      tree: keys.tree,
      agent: keys.agent,
      revision: head.revision,
      expectedVersion: null,
      lease: change.lease ?? null,
      needsLease: false,
      events: change.events.length,
      at,
      set: null,
    },
    ops: [eventOp(state, change, at), ...operationOps(state, change, head, at)],
  };
}

function deltasOp({ tree, agent }: AgentState['keys']): Op {
  return { kind: 'remove', table: 'deltas', columns: ['tree', 'agent'], rows: [[tree, agent]] };
}

/** A copy with what is new in it: on the hot path, assigning is several times faster than spreading. */
function headAfter(head: HeadState, info: EncodedInfo | undefined): HeadState {
  const next = { ...head };
  if (!info) return next;
  const { status, lastSfpIndex, lastBookmark, breakpoint } = info;
  if (status !== undefined) next.status = STATUS_CODES[status];
  if (lastSfpIndex !== undefined) next.lastSfpIndex = lastSfpIndex;
  if (lastBookmark !== undefined) {
    next.bookmarkSeq = lastBookmark?.seq ?? null;
    next.bookmarkAt = lastBookmark?.timestamp ?? null;
  }
  if (breakpoint !== undefined) next.breakpoint = breakpoint === null ? null : JSON.stringify(breakpoint);
  return next;
}

/** On the hot path there is nothing to note. */
function noteAttempts(head: HeadState, next: HeadState, change: EncodedCommit, at: number): void {
  const { attempts, retryAt, failure } = head;
  if (attempts === 0 && retryAt === null && failure === null && !change.info?.failure) return;
  const stored = failure === null ? null : (parseJson(failure, 'the failure of an agent') as StoredFailure);
  const status = STATUSES[head.status] ?? 'idle';
  const after = attemptsAfter({ attempts, retryAt, failure: stored }, status, change, at);
  next.attempts = after.attempts;
  next.retryAt = after.retryAt;
  next.failure = after.failure && JSON.stringify(after.failure);
}

const CALL_COLUMNS = Object.keys(TABLES.tool_calls.columns);
/** A call that changes keeps its owner; what the planner hasn't loaded (null) stays as it is stored. */
const CHANGED_COLUMNS = CALL_COLUMNS.filter((column) => column !== 'owner');
const KEPT_COLUMNS = ['input', 'output', 'error'];

/** New calls, changes of own calls, and own copies of shared calls that this agent changes. */
function callOps({ keys, head }: AgentState, book: CallBook): Op[] {
  const place = { tree: keys.tree, branch: head.branch, owner: keys.agent };
  const inserted: SqlValue[][] = [];
  const updated: SqlValue[][] = [];
  for (const call of book.changed.values()) {
    if (call.inherited) {
      inserted.push(callRow(call, place));
    } else {
      updated.push([keys.tree, head.branch, call.callSeq, ...callColumns(call)]);
    }
  }
  for (const call of book.opened) inserted.push(callRow(call, place));
  const ops: Op[] = [];
  if (inserted.length > 0) ops.push({ kind: 'insert', table: 'tool_calls', rows: inserted });
  if (updated.length > 0) {
    ops.push({
      kind: 'update',
      table: 'tool_calls',
      columns: CHANGED_COLUMNS,
      keep: KEPT_COLUMNS,
      rows: updated,
    });
  }
  return ops;
}

function eventOp({ keys }: AgentState, { events }: EncodedCommit, at: number): Op {
  return { kind: 'insert', table: 'events', rows: eventRows(keys, [{ events, at }]) };
}

function todoOp({ keys, head }: AgentState, todos: NonNullable<EncodedCommit['todos']>, at: number): Op {
  const version = todos.version ?? head.version + 1;
  return {
    kind: 'upsert',
    table: 'todos',
    rows: [[keys.tree, keys.agent, version, todos.updatedAt ?? at, todos.payload]],
  };
}

function usageOp({ keys, head }: AgentState, change: EncodedCommit, at: number): Op {
  const rows = change.usage.map((usage, i): SqlValue[] => [
    keys.tree,
    keys.agent,
    head.usageCount + i,
    at,
    usage.model,
    usage.inputTokens ?? null,
    usage.outputTokens ?? null,
    usage.cachedTokens ?? null,
    usage.reasoningTokens ?? null,
    usage.latencyMs ?? null,
    usage.timeToFirstTokenMs ?? null,
    usage.configHash ?? null,
  ]);
  return { kind: 'insert', table: 'usage', rows };
}

function documentOps({ keys }: AgentState, documents: EncodedDocument[], at: number): Op[] {
  const place = [keys.tree, keys.agent];
  const saved = documents.filter((document) => document.payload !== null);
  const removed = documents.filter((document) => document.payload === null);
  return [
    {
      kind: 'upsert',
      table: 'documents',
      keep: ['created_at'],
      rows: saved.map(({ kind, name, payload }) => [...place, kind, name, at, at, payload]),
    },
    {
      kind: 'remove',
      table: 'documents',
      columns: ['tree', 'agent', 'kind', 'name'],
      rows: removed.map(({ kind, name }) => [...place, kind, name]),
    },
  ];
}

function compactionOp(
  { keys, head }: AgentState,
  compaction: NonNullable<EncodedCommit['compaction']>,
  messageCount: number,
  at: number,
): Op {
  checkCompaction(compaction, messageCount);
  return {
    kind: 'upsert',
    table: 'compactions',
    rows: [
      [
        keys.tree,
        head.branch,
        head.version + 1,
        messageCount,
        compaction.seq,
        at,
        compaction.messages,
        compaction.metadata,
      ],
    ],
  };
}

/** A reference to a position where it can be one, with the rows before it pinned; else a copy. */
function planSnapshot(
  { keys, chain }: AgentState,
  next: HeadState,
  snapshot: NonNullable<EncodedCommit['snapshot']>,
  at: number,
  options: PlanOptions,
): { op: Op; pin?: Pin } {
  const position = snapshot.messages ? options.snapshotPosition : snapshotEnd(snapshot, next.messageCount);
  const segment = position === undefined ? undefined : segmentAt(chain, position);
  const row: SqlValue[] = [
    keys.tree,
    keys.agent,
    snapshot.id,
    segment?.branch ?? null,
    position ?? null,
    snapshot.createdAt ?? at,
    snapshot.lastSfpIndex ?? next.lastSfpIndex,
    snapshot.lastBookmark?.seq ?? null,
    snapshot.lastBookmark?.timestamp ?? null,
    snapshot.metadata,
    position === undefined ? joinPayloads(snapshot.messages ?? []) : null,
  ];
  const op: Op = { kind: 'upsert', table: 'snapshots', rows: [row] };
  if (!segment || position === undefined || position === 0) return { op };
  // Always, whatever `pinned` was when the chain was read: a deletion may have lowered it since.
  return { op, pin: { tree: keys.tree, branch: segment.branch, epoch: segment.epoch, position } };
}

function operationOps({ keys }: AgentState, change: EncodedCommit, next: HeadState, at: number): Op[] {
  if (!change.operation) return [];
  const { id, fingerprint } = change.operation;
  const row: SqlValue[] = [
    keys.tree,
    keys.agent,
    id,
    fingerprint,
    next.version,
    next.messageCount,
    // The ordinal of the last event: completed to the head's new cursor.
    change.events.length - 1,
    at,
  ];
  return [{ kind: 'insert', table: 'operations', rows: [row] }];
}
