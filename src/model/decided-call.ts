import { AlreadyDecidedError, quoted, ValidationError } from '../errors.ts';
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

/**
 * The call that a decision is about: the newest one that awaits it, or the one with `callSeq`. `calls` are those of
 * the id, the newest first.
 */
export function awaitingCall(
  agentId: string,
  { toolCallId, callSeq }: { toolCallId: string; callSeq: number | undefined },
  calls: readonly CallState[],
): CallState {
  if (calls.length === 0) {
    throw new ValidationError('toolCallId', `agent "${agentId}" has no tool call ${quoted(toolCallId)}`);
  }
  const meant = callSeq === undefined ? calls : calls.filter((call) => call.callSeq === callSeq);
  const [newest] = meant;
  if (!newest) {
    throw new ValidationError(
      'callSeq',
      `agent "${agentId}" has no tool call ${callSeq} with the id ${quoted(toolCallId)}`,
    );
  }
  const awaiting = meant.find((call) => call.state === 'approval_required');
  if (awaiting) return awaiting;
  const decision = meant.find((call) => call.approval.decision !== undefined)?.approval.decision;
  if (decision) throw new AlreadyDecidedError(agentId, toolCallId, decision);
  throw new ValidationError(
    'toolCallId',
    `tool call ${quoted(toolCallId)} of agent "${agentId}" awaits no approval: it is ${newest.state}`,
  );
}
