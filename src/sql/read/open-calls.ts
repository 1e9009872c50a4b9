import { isTerminal, TOOL_CALL_STATES, type ToolCallRecord } from '../../model/tool-call.ts';
import { decodeRecord, number, RECORD_COLUMNS } from '../codec.ts';
import type { Conversation } from '../conversation.ts';
import { run, type Script } from '../port/driver.ts';
import { statementOfArrays } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { INDEXES } from '../schema/indexes.ts';
import { STATE_CODES } from '../schema/tables.ts';
import { isShadowed } from './calls.ts';
import { type Load, type LoadSelect, MomentQuery } from './load.ts';

const COLUMNS = RECORD_COLUMNS.join(', ');
const ENDED = TOOL_CALL_STATES.filter(isTerminal)
  .map((state) => STATE_CODES[state])
  .join(', ');
/**
 * In the words of the index, which has few rows: most calls are answered right away. A fork has rows of its own
 * of the calls that it cut off from their results.
 */
const OPEN = `${INDEXES.branch_calls_unsettled.where} AND result_seq IS NULL
  AND (message_seq IS NOT NULL OR state NOT IN (${ENDED}))`;

const OPEN_CALLS_OF_SEGMENT = statementOfArrays(
  'read_open_calls',
  ({ useIndex }) => `SELECT ${COLUMNS} FROM {tool_calls} ${useIndex('branch_calls_unsettled')}
    WHERE tree = $1 AND branch = $2 AND call_seq < $3 AND ${OPEN} ORDER BY call_seq`,
);

/** A nearer branch's row stands for the call, also one that has been answered there. */
export function* readOpenCalls({ keys, chain }: Conversation): Script<ToolCallRecord[]> {
  const found: SqlValue[][] = [];
  for (const [depth, { branch, callHi }] of chain.entries()) {
    for (const row of yield* run(OPEN_CALLS_OF_SEGMENT, [keys.tree, branch, callHi])) {
      if (!(yield* isShadowed(keys.tree, chain.slice(0, depth), number(row[0])))) found.push(row);
    }
  }
  return decodeOpenCalls(found);
}

export const OPEN_CALLS: LoadSelect = {
  columns: RECORD_COLUMNS.map((column) => `tool_calls.${column}` as const),
  from: `chain CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM {tool_calls} AS t
    WHERE t.tree = chain.tree AND t.branch = chain.branch AND t.call_seq < chain.call_hi AND ${OPEN}
      AND NOT EXISTS (
        SELECT 1 FROM chain AS n CROSS JOIN LATERAL (
          SELECT 1 FROM {tool_calls} AS own
          WHERE own.tree = n.tree AND own.branch = n.branch AND own.call_seq = t.call_seq OFFSET 0) AS nearer
        WHERE n.depth < chain.depth) OFFSET 0) AS tool_calls`,
};

export function decodeOpenCalls(rows: SqlValue[][]): ToolCallRecord[] {
  return rows.sort((one, other) => number(one[0]) - number(other[0])).map(decodeRecord);
}

export const LOAD_OPEN_CALLS: Load<ToolCallRecord[]> = {
  script: (_agentId, state) => readOpenCalls(state),
  query: new MomentQuery('load_open_calls', [OPEN_CALLS]),
  decode: (_agentId, [rows = []]) => decodeOpenCalls(rows),
};
