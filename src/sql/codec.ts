import type { AgentFailure, AgentInfo, AgentStatus } from '../model/agent.ts';
import type { StoredFailure } from '../model/attempts.ts';
import type { CallState } from '../model/call-book.ts';
import type { StoredApproval, StoredAudit } from '../model/call-update.ts';
import type { EncodedMessage } from '../model/encode-message.ts';
import type { Message } from '../model/message.ts';
import { parseJson } from '../model/stored-json.ts';
import type { ToolCallRecord, ToolCallState } from '../model/tool-call.ts';
import { toRecord } from '../model/tool-call-record.ts';
import { exactText, indexKey, longText } from './index-key.ts';
import type { Row, SqlValue } from './port/values.ts';
import { KIND_BITS, STATE_CODES, STATUS_CODES } from './schema/tables.ts';

export { parseJson, toRecord };

function names<T extends string>(codes: Record<T, number>): T[] {
  return (Object.keys(codes) as T[]).sort((a, b) => codes[a] - codes[b]);
}

export const STATES: readonly ToolCallState[] = names(STATE_CODES);
export const STATUSES: readonly AgentStatus[] = names(STATUS_CODES);

export function number(value: SqlValue | undefined): number {
  return Number(value);
}

export function numberOrNull(value: SqlValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

export function text(value: SqlValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** Messages from their texts, of which the first is the conversation's message `first`. */
export function parseMessages(payloads: readonly SqlValue[], of: string, first = 0): Message[] {
  return payloads.map((payload, i) => parseJson(payload, () => `message ${first + i} of ${of}`) as Message);
}

export function kindBits(kinds: EncodedMessage['kinds']): number {
  return (
    (kinds.text ? KIND_BITS.text : 0) |
    (kinds.tool_use ? KIND_BITS.tool_use : 0) |
    (kinds.tool_result ? KIND_BITS.tool_result : 0) |
    (kinds.other ? KIND_BITS.other : 0)
  );
}

/** What an `AgentInfo` is made of, in a join of both tables by their own names. */
export const INFO_COLUMNS = [
  'agents.agent_id',
  'agents.template_id',
  'agents.user_id',
  'agents.created_at',
  'agents.config_version',
  'agents.lineage',
  'agents.parent_agent_id',
  'agents.parent_tool_call_id',
  'agents.metadata',
  'heads.status',
  'heads.updated_at',
  'heads.message_count',
  'heads.last_sfp_index',
  'heads.bookmark_seq',
  'heads.bookmark_at',
  'heads.breakpoint',
  'heads.version',
  'agents.long_parent_call_id',
  'heads.attempts',
  'heads.failure',
] as const;

/** A row that begins with these columns. Absent stays absent, and keys are assigned one by one: see `toRecord`. */
export function decodeInfo(row: readonly SqlValue[]): AgentInfo {
  const info: Partial<AgentInfo> = { agentId: String(row[0]), templateId: String(row[1]) };
  if (row[2] !== null) info.userId = String(row[2]);
  info.status = STATUSES[number(row[9])] ?? 'idle';
  info.createdAt = new Date(number(row[3]));
  info.updatedAt = new Date(number(row[10]));
  info.configVersion = String(row[4]);
  info.lineage = parseJson(row[5], () => `lineage of agent "${row[0]}"`) as string[];
  if (row[6] !== null) info.parentAgentId = String(row[6]);
  if (row[7] !== null) info.parentToolCallId = exactText(row[7], row[17]);
  info.messageCount = number(row[11]);
  info.lastSfpIndex = number(row[12]);
  if (row[13] !== null) info.lastBookmark = { seq: number(row[13]), timestamp: number(row[14]) };
  if (row[15] !== null) {
    info.breakpoint = parseJson(row[15], () => `breakpoint of agent "${row[0]}"`) as string;
  }
  info.metadata = parseJson(row[8], () => `metadata of agent "${row[0]}"`) as Record<string, unknown>;
  info.version = number(row[16]);
  info.attempts = number(row[18]);
  if (row[19] !== null) info.failure = decodeFailure(row[19], row[0]);
  return info as AgentInfo;
}

function decodeFailure(stored: SqlValue | undefined, agentId: SqlValue | undefined): AgentFailure {
  const failure = parseJson(stored, () => `failure of agent "${agentId}"`) as StoredFailure;
  return { ...failure, at: new Date(failure.at) };
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
    toolCallId: exactText(row.tool_call_id, row.long_id),
    toolName: exactText(row.tool_name, row.long_name),
    state: STATES[number(row.state)] ?? 'pending',
    isError: number(row.is_error) === 1,
    approval: parseJson(row.approval, `approval of ${where}`) as StoredApproval,
    messageSeq: numberOrNull(row.message_seq),
    resultSeq: numberOrNull(row.result_seq),
    late: number(row.late) === 1,
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

/** The columns of `tool_calls` that a record is made of. */
export const RECORD_COLUMNS = [
  'call_seq',
  'tool_call_id',
  'tool_name',
  'state',
  'is_error',
  'message_seq',
  'created_at',
  'updated_at',
  'started_at',
  'completed_at',
  'duration_ms',
  'input',
  'output',
  'error',
  'approval',
  'audit',
  'long_id',
  'long_name',
] as const;

/** A row that begins with these columns. */
export function decodeRecord(row: readonly SqlValue[]): ToolCallRecord {
  return toRecord({
    callSeq: number(row[0]),
    toolCallId: exactText(row[1], row[16]),
    toolName: exactText(row[2], row[17]),
    state: STATES[number(row[3])] ?? 'pending',
    isError: number(row[4]) === 1,
    messageSeq: numberOrNull(row[5]),
    createdAt: number(row[6]),
    updatedAt: number(row[7]),
    startedAt: numberOrNull(row[8]),
    completedAt: numberOrNull(row[9]),
    durationMs: numberOrNull(row[10]),
    input: text(row[11]),
    output: text(row[12]),
    error: row[13] === null ? null : (parseJson(row[13], () => placeIn(row, 'error')) as string),
    approval: parseJson(row[14], () => placeIn(row, 'approval')) as StoredApproval,
    audit: parseJson(row[15], () => placeIn(row, 'audit trail')) as StoredAudit[],
  });
}

function placeIn(row: readonly SqlValue[], what: string): string {
  return `${what} of tool call ${row[0]} ("${row[1]}")`;
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
    indexKey(call.toolCallId),
    indexKey(call.toolName),
    STATE_CODES[call.state],
    call.isError ? 1 : 0,
    call.approval.required ? 1 : 0,
    call.messageSeq,
    call.resultSeq,
    call.late ? 1 : 0,
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
    longText(call.toolCallId),
    longText(call.toolName),
  ];
}
