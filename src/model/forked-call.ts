import type { CallState } from './call-book.ts';
import { isTerminal } from './tool-call.ts';

/**
 * A call without a result at the place where a conversation is forked, as the fork has it: still open if
 * it awaits a decision, else sealed, because whoever runs it works for the other conversation.
 */
export function forkedCall(call: CallState, at: number): CallState {
  const copy: CallState = { ...call, resultSeq: null };
  if (call.state === 'approval_required') return copy;
  return {
    ...copy,
    state: 'sealed',
    isError: true,
    output: null,
    error: 'The conversation was forked before this call had a result.',
    updatedAt: at,
    completedAt: null,
    durationMs: null,
    audit: [...call.audit, { state: 'sealed', at, note: 'fork' }],
  };
}

/**
 * The call as a conversation that ends at `end` has it; undefined if it is the same there. One that no message
 * asked for has no result to expect once it has ended.
 */
export function callAtFork(call: CallState, end: number, at: number): CallState | undefined {
  const answered = call.resultSeq !== null && call.resultSeq < end;
  if (call.messageSeq === null) return isTerminal(call.state) ? undefined : forkedCall(call, at);
  if (call.messageSeq < end) return answered ? undefined : forkedCall(call, at);
  const unasked = { ...call, messageSeq: null, resultSeq: answered ? call.resultSeq : null, late: false };
  return isTerminal(call.state) ? unasked : forkedCall(unasked, at);
}
