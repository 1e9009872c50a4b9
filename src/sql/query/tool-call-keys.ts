import { isTerminal } from '../../model/tool-call.ts';
import type { ToolCallQuery } from '../../store/validate-filter.ts';
import { RECORD_COLUMNS } from '../codec.ts';
import { indexKey } from '../index-key.ts';
import type { Dialect } from '../port/dialect.ts';
import type { KeyRanges, Range } from '../port/key-ranges.ts';
import { type IndexName, OWNED } from '../schema/indexes.ts';
import { STATE_CODES } from '../schema/tables.ts';
import { boundsOf, type Position } from './bounds.ts';
import { Params, type Query } from './params.ts';

/** Columns that order tool calls over all agents. */
export const CALL_KEY = ['created_at', 'tree', 'branch', 'call_seq'] as const;

/** The columns of a record, of a row that is called `t`. */
export const RECORD = RECORD_COLUMNS.map((column) => `t.${column}`).join(', ');

/** Where the agent's id and the columns of the key are in the rows of `planToolCalls`. */
export const AGENT_ID_PLACE = RECORD_COLUMNS.length;
export const CALL_KEY_PLACES = [
  RECORD_COLUMNS.indexOf('created_at'),
  AGENT_ID_PLACE + 1,
  AGENT_ID_PLACE + 2,
  RECORD_COLUMNS.indexOf('call_seq'),
] as const;

/** What a filter says of the call itself. The words repeat those of the partial indexes' conditions. */
export function callConditions(query: ToolCallQuery, params: Params): string[] {
  const conditions: string[] = [];
  if (query.toolName !== undefined) conditions.push(`tool_name = ${params.bind(indexKey(query.toolName))}`);
  if (query.state !== undefined) conditions.push(`state = ${STATE_CODES[query.state]}`);
  if (query.isError !== undefined) conditions.push(`is_error = ${query.isError ? 1 : 0}`);
  if (query.hasApproval !== undefined) {
    conditions.push(`approval_required = ${query.hasApproval ? 1 : 0}`);
  }
  return conditions;
}

/** The index with the fewest rows for what the filter says; the rest of the filter is tested on these. */
function bestIndex({ toolName, state, isError, hasApproval }: ToolCallQuery): IndexName {
  // Calls that are under way are few at any time.
  if (state !== undefined && !isTerminal(state)) return 'calls_by_state';
  if (isError) return toolName === undefined ? 'calls_failed' : 'calls_failed_by_tool';
  if (hasApproval) return toolName === undefined ? 'calls_with_approval' : 'calls_with_approval_by_tool';
  if (toolName !== undefined && (state === undefined || state === 'completed')) return 'calls_by_tool';
  return 'calls_by_state';
}

/** Tool calls of all agents, each once: under its owner. */
export function planToolCalls(dialect: Dialect, query: ToolCallQuery, after?: Position): Query {
  const params = new Params();
  const where = [OWNED, ...boundsOf(query, CALL_KEY, after, params), ...callConditions(query, params)];
  const index = bestIndex(query);
  const everyState = index === 'calls_by_state' && query.state === undefined;
  const ranges: Range[] = everyState
    ? Object.values(STATE_CODES).map((code) => ({ index, where: [...where, `state = ${code}`] }))
    : [{ index, where }];
  const keys: KeyRanges = {
    table: 'tool_calls',
    columns: CALL_KEY,
    ranges,
    overlapping: false,
    order: query.order,
  };
  const calls = dialect.rowsOfPage(keys, query, params.bind, {
    alias: 't',
    key: 't.tree = k.tree AND t.branch = k.branch AND t.call_seq = k.call_seq',
  });
  const owner = dialect.joinByKey('agents', 'a', 'a.tree = t.tree AND a.agent = t.owner');
  return params.query(
    'query_tool_calls',
    `SELECT ${RECORD}, a.agent_id, t.tree, t.branch FROM ${calls} ${owner}`,
  );
}
