import type { CallState } from './call-book.ts';

export interface Decision {
  decision: 'allow' | 'deny';
  by?: string | undefined;
  note?: string | undefined;
}

/** A call that awaited approval, as it is after the decision. */
export function decidedCall(call: CallState, { decision, by, note }: Decision, at: number): CallState {
  const state = decision === 'allow' ? 'approved' : 'denied';
  const said = note === undefined ? {} : { note };
  return {
    ...call,
    state,
    approval: {
      ...call.approval,
      required: true,
      decision,
      ...(by === undefined ? {} : { decidedBy: by }),
      decidedAt: at,
      ...said,
    },
    updatedAt: at,
    audit: [...call.audit, { state, at, ...said }],
  };
}
