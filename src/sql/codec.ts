import type { AgentInfo, AgentStatus } from '../model/agent.ts';
import type { CallState } from '../model/call-book.ts';
import type { StoredApproval, StoredAudit } from '../model/call-update.ts';
import type { EncodedMessage } from '../model/encode-message.ts';
import type { Message } from '../model/message.ts';
import { parseJson } from '../model/stored-json.ts';
import type { ToolCallRecord, ToolCallState } from '../model/tool-call.ts';
import { toRecord } from '../model/tool-call-record.ts';
import type { Row, SqlValue } from './driver.ts';
import { KIND_BITS, STATE_CODES, STATUS_CODES } from './schema/tables.ts';

export { parseJson, toRecord };

function names<T extends string>(codes: Record<T, number>): T[] {
  return (Object.keys(codes) as T[]).sort((a, b) => codes[a] - codes[b]);
}

export const STATES: readonly ToolCallState[] = names(STATE_CODES);
const STATUSES: readonly AgentStatus[] = names(STATUS_CODES);

export function number(value: SqlValue | undefined): number {
  return Number(value);
}

export function numberOrNull(value: SqlValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

export function text(value: SqlValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** Messages in the order of the rows. One parse for all: it is faster than one for each. */
export function parseMessages(rows: readonly Row[], where: string): Message[] {
  if (rows.length === 0) return [];
  const joined = `[${rows.map((row) => row.payload).join(',')}]`;
  return parseJson(joined, where) as Message[];
}

export function kindBits(kinds: EncodedMessage['kinds']): number {
  return (
    (kinds.text ? KIND_BITS.text : 0) |
    (kinds.tool_use ? KIND_BITS.tool_use : 0) |
    (kinds.tool_result ? KIND_BITS.tool_result : 0) |
    (kinds.other ? KIND_BITS.other : 0)
  );
}

export function decodeInfo(row: Row): AgentInfo {
  const agentId = String(row.agent_id);
  const info: AgentInfo = {
    agentId,
    templateId: String(row.template_id),
    ...(row.user_id === null ? {} : { userId: String(row.user_id) }),
    status: STATUSES[number(row.status)] ?? 'idle',
    createdAt: new Date(number(row.created_at)),
    updatedAt: new Date(number(row.updated_at)),
    configVersion: String(row.config_version),
    lineage: parseJson(row.lineage, `lineage of agent "${agentId}"`) as string[],
    ...(row.parent_agent_id === null ? {} : { parentAgentId: String(row.parent_agent_id) }),
    ...(row.parent_tool_call_id === null ? {} : { parentToolCallId: String(row.parent_tool_call_id) }),
    messageCount: number(row.message_count),
    lastSfpIndex: number(row.last_sfp_index),
    ...decodeBookmark(row),
    ...(row.breakpoint === null
      ? {}
      : { breakpoint: parseJson(row.breakpoint, `breakpoint of agent "${agentId}"`) as string }),
    metadata: parseJson(row.metadata, `metadata of agent "${agentId}"`) as Record<string, unknown>,
    version: number(row.version),
  };
  return info;
}

export function decodeBookmark(row: Row): { lastBookmark?: { seq: number; timestamp: number } } {
  if (row.bookmark_seq === null || row.bookmark_seq === undefined) return {};
  return { lastBookmark: { seq: number(row.bookmark_seq), timestamp: number(row.bookmark_at) } };
}

/** A row of `tool_calls` as the commit planner sees it. `ownBranch`: the agent's current branch. */
export function decodeCallState(row: Row, ownBranch: number): CallState {
  const where = `tool call ${row.call_seq} ("${row.tool_call_id}")`;
  return {
    callSeq: number(row.call_seq),
    toolCallId: String(row.tool_call_id),
    toolName: String(row.tool_name),
    state: STATES[number(row.state)] ?? 'pending',
    isError: number(row.is_error) === 1,
    approval: parseJson(row.approval, `approval of ${where}`) as StoredApproval,
    messageSeq: numberOrNull(row.message_seq),
    resultSeq: numberOrNull(row.result_seq),
    createdAt: number(row.created_at),
    updatedAt: number(row.updated_at),
    startedAt: numberOrNull(row.started_at),
    completedAt: numberOrNull(row.completed_at),
    durationMs: numberOrNull(row.duration_ms),
    input: text(row.input),
    output: text(row.output),
    error: row.error === null ? null : (parseJson(row.error, `error of ${where}`) as string),
    audit: parseJson(row.audit, `audit trail of ${where}`) as StoredAudit[],
    inherited: number(row.branch) !== ownBranch,
  };
}

export function decodeToolCall(row: Row): ToolCallRecord {
  return toRecord(decodeCallState(row, number(row.branch)));
}

/** A whole row of `tool_calls`, in the order of the table's columns. */
export function callRow(
  call: CallState,
  place: { tree: number; branch: number; owner: number | null },
): SqlValue[] {
  return [place.tree, place.branch, call.callSeq, place.owner, ...callColumns(call)];
}

/** Columns of `tool_calls` beyond the key and the owner. */
export function callColumns(call: CallState): SqlValue[] {
  return [
    call.toolCallId,
    call.toolName,
    STATE_CODES[call.state],
    call.isError ? 1 : 0,
    call.approval.required ? 1 : 0,
    call.messageSeq,
    call.resultSeq,
    call.createdAt,
    call.updatedAt,
    call.startedAt,
    call.completedAt,
    call.durationMs,
    call.input,
    call.output,
    call.error === null ? null : JSON.stringify(call.error),
    JSON.stringify(call.approval),
    JSON.stringify(call.audit),
  ];
}
