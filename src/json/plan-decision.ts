import { awaitingCall, decidedCall } from '../model/decided-call.ts';
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
  const call = awaitingCall(
    state.header.agentId,
    request,
    state.conversation.calls.withId(request.toolCallId),
  );
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
