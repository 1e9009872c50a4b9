import type { CallLookups, CallState } from '../../model/call-book.ts';
import type { AgentState, Segment } from '../agent-state.ts';
import { decodeCallState, number } from '../codec.ts';
import type { Driver, Row, Script } from '../driver.ts';
import { run } from '../driver.ts';
import { statement } from '../statement.ts';

/** Some models use one id for thousands of calls; only the newest can still be of interest. */
const MAX_WITH_ONE_ID = 64;

const BY_ID = statement(
  'calls_by_id',
  `SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND tool_call_id = $3 AND call_seq < $4
   ORDER BY call_seq DESC LIMIT ${MAX_WITH_ONE_ID}`,
);

const BY_SEQ = statement(
  'call_by_seq',
  'SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq = $3',
);

const SEGMENT = statement(
  'read_calls',
  `SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq < $3 ORDER BY call_seq`,
);

/**
 * The calls of a conversation that are of interest to a commit, whole. A nearer branch's row stands for
 * the same call of a farther one.
 */
export async function lookUpCalls(
  driver: Driver,
  state: AgentState,
  lookups: CallLookups,
): Promise<CallState[]> {
  return driver.snapshot(() => lookUpInChain(state, lookups));
}

export function* lookUpInChain(state: AgentState, lookups: CallLookups): Script<CallState[]> {
  const found = new Map<number, CallState>();
  const { tree } = state.keys;
  for (const segment of state.chain) {
    for (const id of lookups.ids) {
      collect(found, segment, state, yield* run(BY_ID, [tree, segment.branch, id, segment.callHi]));
    }
    for (const seq of lookups.seqs) {
      if (seq >= segment.callHi) continue;
      collect(found, segment, state, yield* run(BY_SEQ, [tree, segment.branch, seq]));
    }
  }
  return [...found.values()];
}

/** All calls of the conversation, in their order. */
export function* readCalls(state: AgentState): Script<CallState[]> {
  return [...(yield* readPlacedCalls(state)).keys()];
}

/** The same, each with the branch that its row is on. */
export function* readPlacedCalls(state: AgentState): Script<Map<CallState, number>> {
  const found = new Map<number, CallState>();
  const branches = new Map<number, number>();
  for (const segment of state.chain) {
    const rows = yield* run(SEGMENT, [state.keys.tree, segment.branch, segment.callHi]);
    collect(found, segment, state, rows);
    for (const { call_seq: seq } of rows)
      if (!branches.has(number(seq))) branches.set(number(seq), segment.branch);
  }
  const calls = [...found.values()].sort((a, b) => a.callSeq - b.callSeq);
  return new Map(calls.map((call) => [call, branches.get(call.callSeq) ?? state.head.branch]));
}

function collect(found: Map<number, CallState>, segment: Segment, state: AgentState, rows: Row[]): void {
  for (const row of rows) {
    if (found.has(number(row.call_seq))) continue;
    const call = decodeCallState(row, state.head.branch);
    // A result that lies beyond this conversation's share of the branch isn't one for it.
    if (call.resultSeq !== null && call.resultSeq >= segment.hi) call.resultSeq = null;
    found.set(call.callSeq, call);
  }
}
