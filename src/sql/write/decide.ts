import type { CallState } from '../../model/call-book.ts';
import { awaitingCall, decidedCall } from '../../model/decided-call.ts';
import { decisionEvent } from '../../model/decision-event.ts';
import type { EncodedEvent } from '../../model/encode-commit.ts';
import type { ToolCallRecord } from '../../model/tool-call.ts';
import type { CheckedDecision } from '../../store/arguments.ts';
import { type AgentState, isShared, readState } from '../agent-state.ts';
import { callRow, toRecord } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Batch } from '../port/batch.ts';
import { runBatch, type Script } from '../port/driver.ts';
import { lookUpInChain } from '../read/calls.ts';
import { eventRows } from './event-rows.ts';
import { lockBranches, lockHead } from './free-branches.ts';
import { separateCall } from './separate-calls.ts';

/**
 * Under the head's lock, so that of two decisions one is the second. The call and its event are one batch.
 * Undefined without the agent.
 */
export function* decide(
  agentId: string,
  keys: AgentKeys,
  decision: CheckedDecision,
  now: number,
): Script<ToolCallRecord | undefined> {
  const { toolCallId } = decision;
  const state = yield* lockedState(keys);
  if (!state) return undefined;
  const found = yield* lookUpInChain(state, { ids: new Set([toolCallId]), seqs: new Set() });
  const call = awaitingCall(
    agentId,
    decision,
    found.filter((one) => one.toolCallId === toolCallId).sort((a, b) => b.callSeq - a.callSeq),
  );

  const at = Math.max(now, state.head.lastAt);
  const decided = decidedCall(call, decision, at);
  if (isShared(state, call)) yield* separateCall(state, call.callSeq);
  yield* runBatch(decisionBatch(state, decided, decisionEvent(decided, decision), at));
  return toRecord(decided);
}

/** It raises the revision, so that plans made before it are made anew, but not the version. */
function decisionBatch({ keys, head }: AgentState, call: CallState, event: EncodedEvent, at: number): Batch {
  const place = { tree: keys.tree, branch: head.branch, owner: keys.agent };
  return {
    guard: {
      ...keys,
      // The head is locked.
      revision: null,
      expectedVersion: null,
      lease: null,
      needsLease: false,
      events: 1,
      at,
      set: 'decided',
    },
    ops: [
      { kind: 'upsert', table: 'tool_calls', rows: [callRow(call, place)] },
      { kind: 'insert', table: 'events', rows: eventRows(keys, [{ events: [event], at }]) },
    ],
  };
}

/** The branches before the head, as everybody locks them: others may share the call that is decided. */
function* lockedState(keys: AgentKeys): Script<AgentState | undefined> {
  for (;;) {
    const seen = yield* readState(keys);
    if (!seen) return undefined;
    yield* lockBranches(
      keys.tree,
      seen.chain.map((segment) => segment.branch),
    );
    if (!(yield* lockHead(keys))) return undefined;
    const state = yield* readState(keys);
    if (!state || state.head.branch === seen.head.branch) return state;
  }
}
