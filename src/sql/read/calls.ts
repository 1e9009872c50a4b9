import type { CallLookups, CallState } from '../../model/call-book.ts';
import type { ToolCallRecord } from '../../model/tool-call.ts';
import type { AgentState } from '../agent-state.ts';
import type { Segment } from '../chain.ts';
import { decodeCallState, decodeRecord, number, RECORD_COLUMNS } from '../codec.ts';
import type { Conversation } from '../conversation.ts';
import { indexKey } from '../index-key.ts';
import type { Driver, Script } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { statement, statementOfArrays } from '../port/statement.ts';
import type { Row, SqlValue } from '../port/values.ts';
import { type Load, type LoadSelect, MomentQuery } from './load.ts';

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

export const HAS_CALL = statement(
  'has_call',
  'SELECT 1 AS found FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq = $3',
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
      collect(found, segment, state, yield* run(BY_ID, [tree, segment.branch, indexKey(id), segment.callHi]));
    }
    for (const seq of lookups.seqs) {
      if (seq >= segment.callHi) continue;
      collect(found, segment, state, yield* run(BY_SEQ, [tree, segment.branch, seq]));
    }
  }
  return [...found.values()];
}

/** Whether one of these branches has a row of the call, which stands for those of farther ones. */
export function* isShadowed(
  tree: number,
  nearer: readonly Pick<Segment, 'branch'>[],
  callSeq: number,
): Script<boolean> {
  for (const { branch } of nearer) {
    if ((yield* run(HAS_CALL, [tree, branch, callSeq])).length > 0) return true;
  }
  return false;
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

const RECORDS_OF_SEGMENT = statementOfArrays(
  'read_records',
  `SELECT ${RECORD_COLUMNS.join(', ')} FROM {tool_calls}
   WHERE tree = $1 AND branch = $2 AND call_seq < $3 ORDER BY call_seq`,
);

/** The records of all calls of the conversation, in their order. */
export function* readRecords(state: Conversation): Script<ToolCallRecord[]> {
  const rows: SqlValue[][][] = [];
  for (const { branch, callHi } of state.chain) {
    rows.push(yield* run(RECORDS_OF_SEGMENT, [state.keys.tree, branch, callHi]));
  }
  return decodeRecords(rows);
}

export const TOOL_CALLS: LoadSelect = {
  columns: [...RECORD_COLUMNS.map((column) => `tool_calls.${column}` as const), 'chain.depth'],
  from: `chain CROSS JOIN LATERAL (
    SELECT ${RECORD_COLUMNS.join(', ')} FROM {tool_calls} AS t
    WHERE t.tree = chain.tree AND t.branch = chain.branch AND t.call_seq < chain.call_hi OFFSET 0) AS tool_calls`,
};

/** Rows that end with the depth of their branch. */
export function decodePlacedRecords(rows: readonly SqlValue[][]): ToolCallRecord[] {
  const byDepth: SqlValue[][][] = [];
  for (const row of rows) {
    const depth = number(row.at(-1));
    byDepth[depth] ??= [];
    byDepth[depth].push(row);
  }
  return decodeRecords(byDepth);
}

/** Rows by branch, the nearest first: its row stands for the same call of a farther one. */
function decodeRecords(branches: readonly (readonly SqlValue[][])[]): ToolCallRecord[] {
  const nearest = new Map<number, SqlValue[]>();
  for (const rows of branches) {
    for (const row of rows ?? []) {
      const callSeq = number(row[0]);
      if (!nearest.has(callSeq)) nearest.set(callSeq, row);
    }
  }
  return [...nearest.values()].sort((one, other) => number(one[0]) - number(other[0])).map(decodeRecord);
}

export const LOAD_TOOL_CALLS: Load<ToolCallRecord[]> = {
  script: (_agentId, state) => readRecords(state),
  query: new MomentQuery('load_tool_calls', [TOOL_CALLS]),
  decode: (_agentId, [rows = []]) => decodePlacedRecords(rows),
};
