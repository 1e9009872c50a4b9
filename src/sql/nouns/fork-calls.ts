import type { CallState } from '../../model/call-book.ts';
import { forkedCall } from '../../model/forked-call.ts';
import { isTerminal } from '../../model/tool-call.ts';
import { type AgentState, type Chain, segmentAt } from '../agent-state.ts';
import { decodeCallState, number } from '../codec.ts';
import { type Row, run, type Script } from '../driver.ts';
import { statement } from '../statement.ts';
import { readCalls } from './calls.ts';
import { callsBefore } from './rewrite.ts';

/** Where a fork begins. */
export interface ForkPoint {
  chain: Chain;
  position: number;
  callCount: number;
  /** The whole conversation: to-dos and calls without a message come along. */
  whole: boolean;
}

const UNANSWERED = statement(
  'unanswered_calls',
  `SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq < $3
     AND message_seq IS NOT NULL AND (result_seq IS NULL OR result_seq > message_seq + 1)`,
);
const CALLS_BETWEEN = statement(
  'calls_between',
  'SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq >= $3 AND call_seq < $4',
);
const OPEN_UNLINKED = statement(
  'open_unlinked_calls',
  `SELECT * FROM {tool_calls}
   WHERE tree = $1 AND branch = $2 AND state IN (0, 1, 2, 3) AND call_seq < $3 AND message_seq IS NULL`,
);
const AWAITING = statement(
  'awaiting_calls',
  `SELECT call_seq FROM {tool_calls}
   WHERE tree = $1 AND branch = $2 AND approval_required = 1 AND state = 1 AND call_seq < $3`,
);
const HAS_CALL = statement(
  'has_call',
  'SELECT 1 AS found FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq = $3',
);

/**
 * The calls that a fork has as its own rows: those whose result doesn't lie before its position, sealed or
 * awaiting their decision, and the source's own rows on branches that the fork doesn't pass through.
 */
export function* ownCalls(state: AgentState, point: ForkPoint, now: number): Script<CallState[]> {
  const copies = new Map<number, CallState>();
  for (const call of yield* skippedCopies(state, point)) {
    copies.set(call.callSeq, isUnsettled(call, point.position) ? forkedCall(call, now) : call);
  }
  for (const [index, segment] of point.chain.entries()) {
    for (const row of yield* candidates(state, point, segment)) {
      const call = decodeCallState(row, state.head.branch);
      const end = Math.min(segment.hi, point.position);
      if (copies.has(call.callSeq) || !isUnsettled(call, end)) continue;
      // A nearer branch's row stands for the call: what a farther one says of it doesn't count.
      if (yield* isShadowed(state.keys.tree, point.chain.slice(0, index), call.callSeq)) continue;
      copies.set(call.callSeq, forkedCall(call, now));
    }
  }
  return [...copies.values()];
}

/** No result before `end`. A call that no message asked for has none to expect once it has ended. */
function isUnsettled(call: CallState, end: number): boolean {
  if (call.messageSeq === null) return !isTerminal(call.state);
  return call.messageSeq < end && (call.resultSeq === null || call.resultSeq >= end);
}

/**
 * Calls of the last message can't be answered before it ends, the index has those that weren't answered
 * right away, and both are few whatever the conversation's length.
 */
function* candidates(state: AgentState, point: ForkPoint, segment: Chain[number]): Script<Row[]> {
  const { tree } = state.keys;
  const { branch, callHi } = segment;
  const lastMessage = Math.max(0, point.position - 1);
  const from = yield* callsBefore({ ...state, chain: point.chain }, lastMessage);
  const rows = yield* run(CALLS_BETWEEN, [tree, branch, from, callHi]);
  rows.push(...(yield* run(UNANSWERED, [tree, branch, callHi])));
  if (state.head.unlinkedCalls > 0) rows.push(...(yield* run(OPEN_UNLINKED, [tree, branch, callHi])));
  return rows;
}

function* skippedCopies(state: AgentState, point: ForkPoint): Script<CallState[]> {
  const attached = segmentAt(point.chain, point.position);
  const found = new Map<number, CallState>();
  for (const segment of point.chain) {
    if (segment === attached) break;
    const end = Math.min(segment.callHi, point.callCount);
    for (const row of yield* run(CALLS_BETWEEN, [state.keys.tree, segment.branch, 0, end])) {
      const callSeq = number(row.call_seq);
      if (!found.has(callSeq)) found.set(callSeq, decodeCallState(row, state.head.branch));
    }
  }
  return [...found.values()];
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
export function* countUnlinked(state: AgentState, point: ForkPoint): Script<number> {
  if (state.head.unlinkedCalls === 0) return 0;
  if (point.whole) return state.head.unlinkedCalls;
  const calls = yield* readCalls({ ...state, chain: point.chain });
  return calls.filter((call) => call.messageSeq === null).length;
}

function* isShadowed(tree: number, nearer: Chain, callSeq: number): Script<boolean> {
  for (const { branch } of nearer) {
    if ((yield* run(HAS_CALL, [tree, branch, callSeq])).length > 0) return true;
  }
  return false;
}
