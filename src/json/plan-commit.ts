import type { CommitResult, LeaseToken } from '../model/agent.ts';
import { attemptsAfter, type StoredFailure } from '../model/attempts.ts';
import { CallBook, type CallState, type Timing } from '../model/call-book.ts';
import { commitInstants, creationInstant, timingAt } from '../model/commit-instants.ts';
import { checkCompaction, checkVersion, repeatedResult } from '../model/commit-rules.ts';
import {
  type EncodedCommit,
  type EncodedSnapshot,
  joinPayloads,
  snapshotEnd,
} from '../model/encode-commit.ts';
import type { EncodedMessage } from '../model/encode-message.ts';
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
  const { operation } = change;
  const repeated = repeatedResult(agentId, operation, operation && state.operations.get(operation.id));
  if (repeated) return { result: repeated };
  checkVersion(agentId, change, state.version);
  if (!change.eventsOnly || change.lease) options.fence(agentId, change.lease);

  const { at, keep, messages, stored } = newMessages(state, change, options);
  const conversation = keep ? cutCopy(state.conversation, keep) : state.conversation;
  const messageCount = conversation.messages.length + messages.length;
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
  if (messages.length > 0) entry.messages = stored;
  const failure = failureAfter(state, change, at);
  if (failure !== state.info.failure) entry.info = { ...entry.info, failure };
  const calls = planCalls(conversation, {
    messages,
    stored,
    updates: change.updates,
    at,
    timing: timingAt(change, options.timing, options.now, at),
  });
  if (calls.length > 0) entry.calls = calls;
  if (change.events.length > 0) entry.events = change.events.map((event) => event.payload);
  if (change.todos) {
    const { payload, version: given = version, updatedAt = at } = change.todos;
    entry.todos = { payload, version: given, updatedAt };
  }
  if (change.usage.length > 0) entry.usage = JSON.stringify(change.usage);
  if (change.compaction) {
    checkCompaction(change.compaction, messageCount);
    entry.compaction = change.compaction;
  }
  if (change.snapshot) {
    const all = [...conversation.messages, ...stored];
    entry.snapshot = planSnapshot(state, change, change.snapshot, all, at);
  }
  if (operation) entry.operation = { ...operation, recordedAt: options.now };
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
  header.createdAt = creationInstant(change, first.at);
  return { agent: { header, first }, result };
}

interface NewMessages {
  /** The commit's own instant. */
  at: number;
  /** Undefined when nothing that is stored goes. */
  keep: Entry['keep'];
  messages: EncodedMessage[];
  /** The same as they are stored. */
  stored: StoredMessage[];
}

function newMessages(state: AgentState, change: EncodedCommit, options: CommitOptions): NewMessages {
  const { messages: before, calls } = state.conversation;
  const common = options.replace ? commonPrefix(before, change.messages) : 0;
  const messages = change.messages.slice(common);
  const { at, messages: instants } = commitInstants(change, options.now, state.lastAt, common);
  const stored = messages.map(({ payload }, i) => ({ at: instants[i] ?? at, payload }));
  const cuts = options.replace && common < before.length;
  return { at, keep: cuts ? { messages: common, calls: calls.before(common) } : undefined, messages, stored };
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
    stored: readonly StoredMessage[];
    updates: EncodedCommit['updates'];
    at: number;
    timing: Timing | undefined;
  },
): CallChange[] {
  const { calls } = conversation;
  const { messages, stored, updates, at } = change;
  const book = new CallBook(calls, {
    callCount: calls.next,
    unlinkedCalls: calls.unlinked,
    at,
    timing: change.timing,
  });
  for (const [i, message] of messages.entries()) {
    book.addMessage(message, conversation.messages.length + i, stored[i]?.at ?? at);
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
