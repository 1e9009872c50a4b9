import { CorruptDataError } from '../../errors.ts';
import type { AgentToolCallRecord } from '../../model/tool-call.ts';
import type { Paged } from '../../store/paged.ts';
import type { ToolCallQuery } from '../../store/validate-filter.ts';
import { decodeRecord } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { SqlValue } from '../port/values.ts';
import { readConversationCalls } from './conversation-calls.ts';
import { iterateRecords, queryRecords, type RecordSource } from './record-query.ts';
import { AGENT_ID_PLACE, CALL_KEY_PLACES, planToolCalls } from './tool-call-keys.ts';

const SOURCE: RecordSource<ToolCallQuery, AgentToolCallRecord> = {
  keyPlaces: CALL_KEY_PLACES,
  plan: planToolCalls,
  readConversation: readConversationCalls,
  decode: toRecord,
};

export async function queryToolCalls(
  context: SqlContext,
  query: ToolCallQuery,
): Promise<AgentToolCallRecord[]> {
  return queryRecords(context, SOURCE, query);
}

export function iterateToolCalls(
  context: SqlContext,
  query: ToolCallQuery,
): Paged<SqlValue[], AgentToolCallRecord> {
  return iterateRecords(context, SOURCE, query);
}

/** Of a record's columns, and the agent's id unless it is known. */
function toRecord(row: readonly SqlValue[], agentId = String(row[AGENT_ID_PLACE])): AgentToolCallRecord {
  try {
    return { agentId, ...decodeRecord(row) };
  } catch (cause) {
    if (!(cause instanceof CorruptDataError)) throw cause;
    throw new CorruptDataError(`Agent "${agentId}": ${cause.message}`, { cause });
  }
}
