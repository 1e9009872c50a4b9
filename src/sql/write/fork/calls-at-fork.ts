import type { CallState } from '../../../model/call-book.ts';
import { callAtFork } from '../../../model/forked-call.ts';
import { appendAll } from '../../../model/lists.ts';
import type { AgentState } from '../../agent-state.ts';
import { type Chain, type HeldSegment, segmentAt } from '../../chain.ts';
import { decodeCallState, number } from '../../codec.ts';
import { run, type Script } from '../../port/driver.ts';
import { statement } from '../../port/statement.ts';
import type { Row } from '../../port/values.ts';
import { isShadowed } from '../../read/calls.ts';
import { INDEXES } from '../../schema/indexes.ts';
import { callsBefore } from '../cut.ts';

/** Where a fork begins. */
export interface ForkPoint {
  /** The branches that it passes through. */
  chain: Chain;
  /** The same, after those of the source that it doesn't. */
  source: Chain;
  position: number;
  callCount: number;
  /** It is in the source's conversation as it is now; a snapshot may be of one that was rewritten since. */
  current: boolean;
  /** The whole conversation: to-dos and calls without a message come along. */
  whole: boolean;
}

const UNSETTLED = statement(
  'unsettled_calls',
  `SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq < $3
     AND ${INDEXES.branch_calls_unsettled.where}`,
);
const CALLS_BETWEEN = statement(
  'calls_between',
  'SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq >= $3 AND call_seq < $4',
);
const AWAITING = statement(
  'awaiting_calls',
  `SELECT call_seq FROM {tool_calls}
   WHERE tree = $1 AND branch = $2 AND approval_required = 1 AND state = 1 AND call_seq < $3`,
);

/**
 * Where a fork attaches: to the branch with the messages before its position, or to a nearer one of which it
 * shares calls alone, because an agent changed or ended them there.
 */
export function* attachedChain(state: AgentState, chain: Chain, position: number): Script<Chain> {
  const attached = chain.indexOf(segmentAt(chain, position));
  for (const [depth, { branch, callHi }] of chain.slice(0, attached).entries()) {
    for (const row of yield* run(CALLS_BETWEEN, [state.keys.tree, branch, 0, callHi])) {
      const call = decodeCallState(row, state.head.branch);
      if (callAtFork(call, position, 0)) continue;
      if (!(yield* isShadowed(state.keys.tree, chain.slice(0, depth), call.callSeq)))
        return chain.slice(depth);
    }
  }
  return chain.slice(attached);
}

/**
 * The calls that a fork has as its own rows: those whose result doesn't lie before its position, sealed or
 * awaiting their decision, and those that only a later message asked for.
 */
export function* ownCalls(state: AgentState, point: ForkPoint, now: number): Script<CallState[]> {
  const copies = new Map<number, CallState>();
  for (const [depth, segment] of point.source.entries()) {
    for (const row of yield* candidates(state, point, segment)) {
      const call = decodeCallState(row, state.head.branch);
      const copy = callAtFork(call, Math.min(segment.hi, point.position), now);
      if (!copy || copies.has(call.callSeq)) continue;
      // A nearer branch's row stands for the call: what a farther one says of it doesn't count.
      if (yield* isShadowed(state.keys.tree, point.source.slice(0, depth), call.callSeq)) continue;
      copies.set(call.callSeq, copy);
    }
  }
  return [...copies.values()];
}

/**
 * Calls of the last message can't be answered before it ends, the index has those that weren't answered
 * right away or not asked for in their order, and both are few whatever the conversation's length.
 */
function* candidates(state: AgentState, point: ForkPoint, segment: HeldSegment): Script<Row[]> {
  const { tree } = state.keys;
  const { branch, callHi } = segment;
  // What the fork doesn't pass through holds few rows of calls that were opened before.
  if (!point.chain.includes(segment)) return yield* run(CALLS_BETWEEN, [tree, branch, 0, callHi]);
  const lastMessage = Math.max(0, point.position - 1);
  const from = yield* callsBefore({ ...state, chain: point.chain }, lastMessage);
  const rows = yield* run(CALLS_BETWEEN, [tree, branch, from, callHi]);
  appendAll(rows, yield* run(UNSETTLED, [tree, branch, callHi]));
  return rows;
}

/**
 * Calls that await their decision although their result lies before the fork: it has no rows of its own of
 * them, and they can be decided in it all the same.
 */
export function* countSharedApprovals(
  state: AgentState,
  point: ForkPoint,
  copies: readonly CallState[],
): Script<number> {
  const own = new Set(copies.map((call) => call.callSeq));
  let count = 0;
  for (const [index, segment] of point.chain.entries()) {
    for (const row of yield* run(AWAITING, [state.keys.tree, segment.branch, segment.callHi])) {
      const callSeq = number(row.call_seq);
      if (own.has(callSeq)) continue;
      if (yield* isShadowed(state.keys.tree, point.chain.slice(0, index), callSeq)) continue;
      count += 1;
    }
  }
  return count;
}

/** Calls within the fork that no message asked for. */
export function* countUnlinked(
  state: AgentState,
  point: ForkPoint,
  copies: readonly CallState[],
): Script<number> {
  const own = new Set(copies.map((call) => call.callSeq));
  let count = copies.filter((call) => call.messageSeq === null).length;
  if (point.current && state.head.unlinkedCalls === 0) return count;
  for (const [depth, { branch, callHi }] of point.chain.entries()) {
    for (const row of yield* run(UNSETTLED, [state.keys.tree, branch, callHi])) {
      const callSeq = number(row.call_seq);
      if (row.message_seq !== null || own.has(callSeq)) continue;
      if (yield* isShadowed(state.keys.tree, point.chain.slice(0, depth), callSeq)) continue;
      count += 1;
    }
  }
  return count;
}
