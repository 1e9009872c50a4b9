import { CallBook, type CallState } from '../model/call-book.ts';
import { encodeMessages } from '../model/encode-message.ts';
import { callAtFork, forkedCall } from '../model/forked-call.ts';
import { type CallTable, Conversation } from './conversation.ts';
import type { Entry, ForkPoint, StoredMessage } from './entry.ts';
import { MalformedError } from './fields.ts';
import type { AgentState } from './state.ts';

/**
 * What an entry of a history is kept to, in characters: it is a line, which is put together and parsed at once. Texts of
 * four times this length took three times as long to write, for the garbage collector moves none of them.
 */
export const MAX_ENTRY_LENGTH = 64 << 10;

/** What a fork begins with. Messages and calls are the parent's own objects, which never change. */
export function inherit(parent: AgentState, point: ForkPoint, at: number): Conversation {
  const snapshot = point.snapshot === undefined ? undefined : parent.snapshots.get(point.snapshot);
  if (point.snapshot !== undefined && !snapshot) {
    throw new MalformedError(`there is no snapshot "${point.snapshot}" to begin a fork`);
  }
  if (snapshot && snapshot.messages !== null) return fromCopy(snapshot.messages, at);
  const source = snapshot?.source ?? parent.conversation;
  if (point.position > source.messages.length) {
    throw new MalformedError(`there are no ${point.position} messages to begin a fork`);
  }
  const conversation = new Conversation();
  conversation.messages = source.messages.slice(0, point.position);
  const callCount = callsOf(source.calls, point);
  conversation.calls = source.calls.select(
    (call) => (call.callSeq < callCount ? inheritCall(call, point.position, at) : undefined),
    0,
  );
  conversation.compactions = source.compactions
    .filter(({ position }) => position <= point.position)
    .map((compaction) => ({ ...compaction, n: 0 }));
  return conversation;
}

/** The entries that a fork's log begins with; applied one after the other, they give the same conversation. */
export function* historyEntries({ messages, calls, compactions }: Conversation): Generator<Entry> {
  let begun = 0;
  for (const { position, createdAt, seq, messages: summary, metadata } of compactions) {
    yield* messageEntries(messages.slice(begun, position));
    yield { ...INHERITED, at: createdAt, compaction: { seq, messages: summary, metadata } };
    begun = position;
  }
  yield* messageEntries(messages.slice(begun));
  for (const part of parts([...calls.values()], callLength)) {
    yield { ...INHERITED, at: part[0]?.updatedAt ?? 0, calls: part };
  }
}

/** Calls of the fork's own that await a decision: copies, decided apart from the parent's. */
export function awaitingCopies(conversation: Conversation): number {
  let count = 0;
  for (const { state, resultSeq } of conversation.calls.values()) {
    if (state === 'approval_required' && resultSeq === null) count += 1;
  }
  return count;
}

/** Number of the parent's calls that are the fork's, too: the first ones, without a gap. */
function callsOf(calls: CallTable, { position, whole }: ForkPoint): number {
  return whole ? calls.next : calls.within(position);
}

function inheritCall(call: CallState, position: number, at: number): CallState {
  const copy = callAtFork(call, position, at);
  if (copy) return copy;
  return call.resultSeq !== null && call.resultSeq >= position ? { ...call, resultSeq: null } : call;
}

/** From a snapshot with messages of its own nothing is inherited but these; their calls are opened anew. */
function fromCopy(text: string, at: number): Conversation {
  const messages = encodeMessages(JSON.parse(text), 'snapshot.messages');
  const conversation = new Conversation();
  const book = new CallBook(conversation.calls, { callCount: 0, unlinkedCalls: 0, at });
  for (const [seq, message] of messages.entries()) {
    conversation.messages.push({ at, payload: message.payload });
    book.addMessage(message, seq, at);
  }
  for (const call of book.opened) {
    conversation.calls.set(call.resultSeq === null ? forkedCall(call, at) : call, 0);
  }
  return conversation;
}

const INHERITED = { n: 0, version: 0 } as const;

function* messageEntries(messages: readonly StoredMessage[]): Generator<Entry> {
  for (const part of parts(messages, ({ payload }) => payload.length)) {
    yield { ...INHERITED, at: part[0]?.at ?? 0, messages: part };
  }
}

function callLength({ input, output, error, audit }: CallState): number {
  return (input?.length ?? 0) + (output?.length ?? 0) + (error?.length ?? 0) + 100 * audit.length;
}

/** The items in their order, as many together as are short enough; a longer one is alone. */
function* parts<T>(items: readonly T[], lengthOf: (item: T) => number): Generator<T[]> {
  let part: T[] = [];
  let length = 0;
  for (const item of items) {
    const more = lengthOf(item) + 100;
    if (part.length > 0 && length + more > MAX_ENTRY_LENGTH) {
      yield part;
      part = [];
      length = 0;
    }
    part.push(item);
    length += more;
  }
  if (part.length > 0) yield part;
}
