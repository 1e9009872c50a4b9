import { CallBook, type CallState } from '../model/call-book.ts';
import { encodeMessages } from '../model/encode-message.ts';
import { forkedCall } from '../model/forked-call.ts';
import { isTerminal } from '../model/tool-call.ts';
import { Conversation } from './conversation.ts';
import type { ForkPoint } from './entry.ts';
import { MalformedError } from './fields.ts';
import type { AgentState } from './state.ts';

/** What a fork begins with. The same parent state and fork point always give the same history. */
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
  const callCount = callsOf(source, point);
  conversation.calls = source.calls.select(
    (call) => (call.callSeq < callCount ? inheritCall(call, point.position, at) : undefined),
    0,
  );
  conversation.compactions = source.compactions
    .filter(({ position }) => position <= point.position)
    .map((compaction) => ({ ...compaction, n: 0 }));
  return conversation;
}

/** Number of the parent's calls that are the fork's, too: the first ones, without a gap. */
export function callsOf(
  { calls }: Conversation,
  { position, whole }: Pick<ForkPoint, 'position' | 'whole'>,
): number {
  return whole ? calls.next : calls.within(position);
}

function inheritCall(call: CallState, position: number, at: number): CallState {
  const answered = call.resultSeq !== null && call.resultSeq < position;
  if (call.messageSeq !== null && call.messageSeq < position) return answered ? call : forkedCall(call, at);
  // Of a call that no message before the fork asked for, no message need tell the result.
  const unasked = { ...call, messageSeq: null, resultSeq: answered ? call.resultSeq : null };
  return isTerminal(call.state) ? unasked : forkedCall(unasked, at);
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

/** Calls of the fork's own that await a decision: copies, decided apart from the parent's. */
export function awaitingCopies(conversation: Conversation): number {
  let count = 0;
  for (const { state, resultSeq } of conversation.calls.values()) {
    if (state === 'approval_required' && resultSeq === null) count += 1;
  }
  return count;
}
