import type { CallState } from './call-book.ts';

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
