import { AgentExistsError, ValidationError, VersionConflictError } from '../errors.ts';
import type { CommitResult, LeaseToken } from '../model/agent.ts';
import { attemptsAfter, type StoredFailure } from '../model/attempts.ts';
import { CallBook, type CallState, type Timing } from '../model/call-book.ts';
import {
  type EncodedCommit,
  type EncodedSnapshot,
  joinPayloads,
  snapshotEnd,
} from '../model/encode-commit.ts';
import type { EncodedMessage } from '../model/encode-message.ts';
import { RAISED_MS } from '../model/stopwatch.ts';
import type { NewAgent } from './agent-files.ts';
import type { CallTable, Conversation } from './conversation.ts';
import type { CallChange, Entry, LogHeader, StoredMessage, StoredSnapshot } from './entry.ts';
import { FORMAT } from './lines.ts';
import { type AgentState, emptyState } from './state.ts';

/** Throws unless the agent's lease lets this write through. */
export type Fence = (agentId: string, lease: LeaseToken | undefined) => void;

/** A change of state that was worked out and not written yet; without an entry there is nothing to write. */
export interface Planned<T> {
  entry?: Entry;
  result: T;
}

export interface CommitOptions {
  /** The messages are the whole conversation: what is stored beyond the common beginning is replaced. */
  replace: boolean;
  fence: Fence;
  now: number;
  /** For how long calls take: the agent's stopwatch, and what the clock says that nobody sets. */
  timing?: Pick<Timing, 'stopwatch' | 'monotonic'> | undefined;
}

/** Pure: what a commit adds to the log of an agent in this state. */
export function planCommit(
  state: AgentState,
  change: EncodedCommit,
  options: CommitOptions,
): Planned<CommitResult> {
  const { agentId } = state.header;
  const repeated = findRepeated(state, change);
  if (repeated) return { result: repeated };
  checkVersion(state, change);
  if (!change.eventsOnly || change.lease) options.fence(agentId, change.lease);

  const { keep, messages, instants } = newMessages(state, change, options);
  const conversation = keep ? cutCopy(state.conversation, keep) : state.conversation;
  const messageCount = conversation.messages.length + messages.length;
  const last = change.at?.at(-1) ?? options.now;
  const at = Math.max(last, state.lastAt, instants.at(-1)?.at ?? last);
  const version = change.eventsOnly ? state.version : state.version + 1;
  const entry: Entry = { n: state.n + 1, at, version };
  if (change.info) {
    const { createdAt: _createdAt, ...info } = change.info;
    entry.info = info;
  }
  if (keep) {
    entry.keep = keep;
    if (isNeeded(state, keep.messages)) entry.branch = true;
  }
  if (messages.length > 0) entry.messages = instants;
  const failure = failureAfter(state, change, at);
  if (failure !== state.info.failure) entry.info = { ...entry.info, failure };
  const calls = planCalls(conversation, {
    messages,
    instants,
    updates: change.updates,
    at,
    timing:
      options.timing && change.at === undefined
        ? { ...options.timing, isRaised: at > options.now + RAISED_MS }
        : undefined,
  });
  if (calls.length > 0) entry.calls = calls;
  if (change.events.length > 0) entry.events = change.events.map((event) => event.payload);
  if (change.todos) {
    const { payload, version: given = version, updatedAt = at } = change.todos;
    entry.todos = { payload, version: given, updatedAt };
  }
  if (change.usage.length > 0) entry.usage = JSON.stringify(change.usage);
  if (change.compaction) entry.compaction = checkCompaction(change.compaction, messageCount);
  if (change.snapshot) {
    const all = [...conversation.messages, ...instants];
    entry.snapshot = planSnapshot(state, change, change.snapshot, all, at);
  }
  if (change.operation) entry.operation = { ...change.operation, recordedAt: options.now };
  return { entry, result: { version, messageCount, cursor: state.cursor + change.events.length } };
}

/** No worker is given an agent of this store: there are no attempts to count. */
function failureAfter({ info }: AgentState, change: EncodedCommit, at: number): StoredFailure | null {
  const before = { attempts: 0, retryAt: null, failure: info.failure };
  return attemptsAfter(before, info.status, change, at).failure;
}

/** The same for an agent that isn't there yet. */
export function planCreation(
  agentId: string,
  key: string,
  change: EncodedCommit,
  options: CommitOptions,
): { agent: NewAgent; result: CommitResult } {
  const header: LogHeader = { format: FORMAT, agentId, key, createdAt: 0 };
  const { entry: first, result } = planCommit(emptyState(header), change, options);
  if (!first) throw new RangeError('the first commit of an agent always writes something');
  header.createdAt = change.info?.createdAt ?? change.at?.[0] ?? first.at;
  return { agent: { header, first }, result };
}

function findRepeated(state: AgentState, { operation }: EncodedCommit): CommitResult | undefined {
  const first = operation && state.operations.get(operation.id);
  if (!first) return undefined;
  if (first.fingerprint === operation.fingerprint) return { ...first.result };
  throw new ValidationError(
    'operationId',
    `"${operation.id}" was used for a different change of agent "${state.header.agentId}"; give each change an id of its own`,
  );
}

function checkVersion(state: AgentState, { expectedVersion: expected, info }: EncodedCommit): void {
  if (expected === undefined || expected === state.version) return;
  if (expected === 0 && info) throw new AgentExistsError(state.header.agentId);
  throw new VersionConflictError(state.header.agentId, expected, state.version);
}

interface NewMessages {
  /** Undefined when nothing that is stored goes. */
  keep: Entry['keep'];
  messages: EncodedMessage[];
  instants: StoredMessage[];
}

function newMessages(state: AgentState, change: EncodedCommit, options: CommitOptions): NewMessages {
  const stored = state.conversation.messages;
  const common = options.replace ? commonPrefix(stored, change.messages) : 0;
  const messages = change.messages.slice(common);
  const given = change.at;
  let at = state.lastAt;
  const instants = messages.map(({ payload }, i) => {
    // One instant for all of them, or one for each.
    at = Math.max(
      at,
      (given?.length === change.messages.length ? given[i + common] : given?.[0]) ?? options.now,
    );
    return { at, payload };
  });
  const cuts = options.replace && common < stored.length;
  const keep = cuts ? { messages: common, calls: state.conversation.calls.before(common) } : undefined;
  return { keep, messages, instants };
}

function commonPrefix(stored: readonly StoredMessage[], messages: readonly EncodedMessage[]): number {
  let length = 0;
  while (length < stored.length && length < messages.length) {
    if (stored[length]?.payload !== messages[length]?.payload) break;
    length += 1;
  }
  return length;
}

function cutCopy(conversation: Conversation, keep: NonNullable<Entry['keep']>): Conversation {
  const copy = conversation.copy();
  copy.truncate(keep.messages, keep.calls);
  return copy;
}

/** Whether a snapshot refers to something beyond the first `keep` messages. */
function isNeeded(state: AgentState, keep: number): boolean {
  for (const { source, position, messages } of state.snapshots.values()) {
    if (source === state.conversation && messages === null && position > keep) return true;
  }
  return false;
}

function planCalls(
  conversation: Conversation,
  change: {
    messages: readonly EncodedMessage[];
    instants: readonly StoredMessage[];
    updates: EncodedCommit['updates'];
    at: number;
    timing: Timing | undefined;
  },
): CallChange[] {
  const { calls } = conversation;
  const { messages, instants, updates, at } = change;
  const book = new CallBook(calls, {
    callCount: calls.next,
    unlinkedCalls: calls.unlinked,
    at,
    timing: change.timing,
  });
  for (const [i, message] of messages.entries()) {
    book.addMessage(message, conversation.messages.length + i, instants[i]?.at ?? at);
  }
  for (const update of updates) book.apply(update);
  return callChanges(calls, [...book.changed.values(), ...book.opened]);
}

/** New calls whole, of the others what is different now. */
export function callChanges(known: CallTable, calls: readonly CallState[]): CallChange[] {
  return calls.map((call) => {
    const before = known.withSeq(call.callSeq);
    return before ? difference(before, call) : call;
  });
}

function difference(before: CallState, after: CallState): CallChange {
  const changed = Object.entries(after).filter(([key, value]) => {
    const former: unknown = before[key as keyof CallState];
    return typeof value === 'object' && value !== null
      ? JSON.stringify(value) !== JSON.stringify(former)
      : value !== former;
  });
  return { ...Object.fromEntries(changed), callSeq: after.callSeq };
}

function checkCompaction(
  compaction: NonNullable<EncodedCommit['compaction']>,
  messageCount: number,
): NonNullable<Entry['compaction']> {
  if (compaction.seq <= messageCount) return compaction;
  throw new ValidationError(
    'compaction.seq',
    `is ${compaction.seq}, beyond the ${messageCount} messages of the conversation`,
  );
}

/** A reference where its messages begin the conversation as it will be, else a copy of them. */
function planSnapshot(
  state: AgentState,
  change: EncodedCommit,
  snapshot: EncodedSnapshot,
  conversation: readonly StoredMessage[],
  at: number,
): StoredSnapshot {
  const { id, messages, metadata, lastBookmark } = snapshot;
  const own = messages && commonPrefix(conversation, messages) < messages.length ? messages : undefined;
  return {
    id,
    position: messages?.length ?? snapshotEnd(snapshot, conversation.length),
    messages: own ? joinPayloads(own) : null,
    createdAt: snapshot.createdAt ?? at,
    lastSfpIndex: snapshot.lastSfpIndex ?? change.info?.lastSfpIndex ?? state.info.lastSfpIndex,
    ...(lastBookmark ? { lastBookmark } : {}),
    metadata,
  };
}
