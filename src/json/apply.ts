import type { CallState } from '../model/call-book.ts';
import { REMEMBERED_COMMITS, REMEMBERED_MS } from '../model/commit-rules.ts';
import type { Conversation } from './conversation.ts';
import type {
  CallChange,
  DocumentChange,
  Entry,
  InfoChange,
  StoredOperation,
  StoredSnapshot,
} from './entry.ts';
import { MalformedError } from './fields.ts';
import { type AgentState, documentKey, type HeldSnapshot } from './state.ts';

/**
 * What an entry does to an agent's state: the same whether it was just planned or is read again years
 * later. Everything that was decided is in the entry, so that new rules never change old logs.
 */
export function apply(state: AgentState, entry: Entry, now: number): void {
  if (!follows(entry, state)) throw new MalformedError(`entry ${entry.n} doesn't follow entry ${state.n}`);
  if (entry.keep) cut(state, entry.keep, entry.branch === true);
  if (entry.messages) for (const message of entry.messages) state.conversation.messages.push(message);
  for (const change of entry.calls ?? []) applyCall(state.conversation, change, entry.n);
  if (entry.info) applyInfo(state, entry.info, entry.at);
  state.cursor += entry.events?.length ?? 0;
  if (entry.todos) {
    state.garbage += state.todos?.payload.length ?? 0;
    state.todos = entry.todos;
  }
  if (entry.compaction) applyCompaction(state.conversation, entry.compaction, entry);
  if (entry.snapshot) applySnapshot(state, entry.snapshot, entry.n);
  if (entry.document) applyDocument(state, entry.document, entry);

  if (entry.version > state.version) state.updatedAt = entry.at;
  state.version = entry.version;
  state.lastAt = Math.max(state.lastAt, entry.at);
  state.n = entry.n;
  if (entry.operation) applyOperation(state, entry.operation, entry.n, now);
}

function follows({ n, after = n - 1 }: Entry, state: AgentState): boolean {
  return n === 0 ? state.n === 0 : after === state.n && n > state.n;
}

function cut(state: AgentState, keep: NonNullable<Entry['keep']>, branch: boolean): void {
  const { messages } = state.conversation;
  if (keep.messages > messages.length) {
    throw new MalformedError(`${keep.messages} messages of ${messages.length} can't be kept`);
  }
  if (branch) state.conversation = state.conversation.copy();
  else for (const { payload } of messages.slice(keep.messages)) state.garbage += payload.length;
  state.conversation.truncate(keep.messages, keep.calls);
}

/** Whether a call was asked for late is looked up here, not remembered: it isn't in the log. */
function applyCall({ calls }: Conversation, change: CallChange, n: number): void {
  const before = calls.withSeq(change.callSeq);
  calls.set({ ...(before ? { ...before, ...change } : whole(change)), late: false }, n);
}

function whole(change: CallChange): CallState {
  const { toolCallId, toolName, state, approval, createdAt, updatedAt, input } = change;
  if (
    toolCallId === undefined ||
    toolName === undefined ||
    state === undefined ||
    approval === undefined ||
    createdAt === undefined ||
    updatedAt === undefined ||
    input === undefined
  ) {
    throw new MalformedError(`tool call ${change.callSeq} changes, but was never opened`);
  }
  return {
    toolCallId,
    toolName,
    state,
    approval,
    createdAt,
    updatedAt,
    input,
    isError: false,
    messageSeq: null,
    resultSeq: null,
    late: false,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    output: null,
    error: null,
    audit: [],
    inherited: false,
    ...change,
  };
}

function applyInfo(state: AgentState, info: InfoChange, at: number): void {
  if (info.metadata !== undefined) state.garbage += state.info.metadata.length;
  const { failure, ...rest } = info;
  state.info = { ...state.info, ...rest };
  if (failure !== undefined) state.info.failure = failure && { ...failure, at: failure.at ?? at };
}

function applyCompaction(
  conversation: Conversation,
  compaction: NonNullable<Entry['compaction']>,
  { n, at }: Entry,
): void {
  const position = conversation.messages.length;
  conversation.compactions.push({ ...compaction, createdAt: at, position, n });
}

function applySnapshot(state: AgentState, snapshot: StoredSnapshot, n: number): void {
  const before = state.snapshots.get(snapshot.id);
  if (before) state.garbage += lostWith(state, before);
  // A map keeps the place of a key that is there already; a replaced snapshot is a new one.
  state.snapshots.delete(snapshot.id);
  state.snapshots.set(snapshot.id, { ...snapshot, source: state.conversation, n });
}

/** About how much of the log only this snapshot needs. */
function lostWith(state: AgentState, snapshot: HeldSnapshot): number {
  if (snapshot.messages !== null) return snapshot.messages.length;
  if (snapshot.source === state.conversation) return 0;
  const { messages } = state.conversation;
  let bytes = 0;
  for (let i = 0; i < snapshot.position; i += 1) {
    const message = snapshot.source.messages[i];
    if (message && message !== messages[i]) bytes += message.payload.length;
  }
  return bytes;
}

function applyDocument(state: AgentState, change: DocumentChange, { n, at }: Entry): void {
  const { kind, name, createdAt, removed } = change;
  if (removed) state.documents.delete(documentKey(kind, name));
  else state.documents.set(documentKey(kind, name), { kind, name, createdAt, updatedAt: at, n });
}

function applyOperation(state: AgentState, operation: StoredOperation, n: number, now: number): void {
  const { version, cursor } = state;
  const result = { version, messageCount: state.conversation.messages.length, cursor };
  state.operations.set(operation.id, { ...operation, result, n });
  for (const [id, { recordedAt }] of state.operations) {
    if (state.operations.size <= REMEMBERED_COMMITS || recordedAt > now - REMEMBERED_MS) break;
    state.operations.delete(id);
  }
}
