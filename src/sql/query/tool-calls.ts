import { CorruptDataError } from '../../errors.ts';
import type { AgentToolCallRecord } from '../../model/tool-call.ts';
import type { ToolCallQueryFilter } from '../../store/filters.ts';
import { type ToolCallQuery, validateToolCallFilter } from '../../store/validate-filter.ts';
import { decodeToolCall, number } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { Row } from '../driver.ts';
import { windowAfter } from './chain.ts';
import { readConversationCalls } from './conversation-calls.ts';
import { ofAgent } from './of-agent.ts';
import { inPages } from './pages.ts';
import { positionOf, sortRows } from './rows.ts';
import { CALL_KEY, planToolCalls } from './tool-call-keys.ts';

export async function queryToolCalls(
  context: SqlContext,
  filter?: ToolCallQueryFilter,
): Promise<AgentToolCallRecord[]> {
  const query = validateToolCallFilter(filter);
  const { agentId } = query;
  const rows = agentId === undefined ? await readAll(context, query) : await readOne(context, agentId, query);
  return rows.map((row) => toRecord(row, agentId));
}

export async function* iterateToolCalls(
  context: SqlContext,
  filter?: ToolCallQueryFilter,
): AsyncGenerator<AgentToolCallRecord> {
  const query = validateToolCallFilter(filter, 'iterate');
  const { agentId } = query;
  const pages = inPages(query.limit, (limit, last) =>
    agentId === undefined
      ? readAll(context, { ...query, limit }, last)
      : readOne(context, agentId, { ...query, limit }, last),
  );
  for await (const rows of pages) for (const row of rows) yield toRecord(row, agentId);
}

async function readAll({ driver }: SqlContext, query: ToolCallQuery, last?: Row): Promise<Row[]> {
  const after = last && positionOf(last, CALL_KEY);
  const { statement, params } = planToolCalls(driver.dialect, query, after);
  return sortRows(await driver.read(statement, params), CALL_KEY, query.order);
}

function readOne(context: SqlContext, agentId: string, query: ToolCallQuery, last?: Row): Promise<Row[]> {
  const window = last && windowAfter(number(last.call_seq), query.order);
  return ofAgent(context, agentId, [], (keys) => readConversationCalls(context, keys, query, window));
}

function toRecord(row: Row, agentId = String(row.agent_id)): AgentToolCallRecord {
  try {
    return { agentId, ...decodeToolCall(row) };
  } catch (cause) {
    if (!(cause instanceof CorruptDataError)) throw cause;
    throw new CorruptDataError(`Agent "${agentId}": ${cause.message}`, { cause });
  }
}
