import { AlreadyDecidedError, quoted, ValidationError } from '../errors.ts';
import type { CallState } from '../model/call-book.ts';
import { decidedCall } from '../model/decided-call.ts';
import { decisionEvent } from '../model/decision-event.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import { toRecord } from '../model/tool-call-record.ts';
import type { CheckedDecision } from '../store/arguments.ts';
import { callChanges, type Planned } from './plan-commit.ts';
import type { AgentState } from './state.ts';

/**
 * A decision changes one call, says so on the timeline, and touches neither the version nor what a lease's
 * holder relies on.
 */
export function planDecision(
  state: AgentState,
  request: CheckedDecision,
  now: number,
): Planned<ToolCallRecord> {
  const call = findAwaiting(state, request);
  const at = Math.max(now, state.lastAt);
  const decided = decidedCall(call, request, at);
  return {
    entry: {
      n: state.n + 1,
      at,
      version: state.version,
      calls: callChanges(state.conversation.calls, [decided]),
      events: [decisionEvent(decided, request).payload],
    },
    result: toRecord(decided),
  };
}

function findAwaiting(state: AgentState, { toolCallId, callSeq }: CheckedDecision): CallState {
  const { agentId } = state.header;
  const calls = state.conversation.calls.withId(toolCallId);
  if (calls.length === 0) {
    throw new ValidationError('toolCallId', `agent "${agentId}" has no tool call ${quoted(toolCallId)}`);
  }
  const meant = callSeq === undefined ? calls : calls.filter((call) => call.callSeq === callSeq);
  if (meant.length === 0) {
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
    `tool call ${quoted(toolCallId)} doesn't await a decision: it is ${meant[0]?.state}`,
  );
}
