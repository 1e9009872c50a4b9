import { quoted } from '../errors.ts';
import type { CallState } from './call-book.ts';
import type { StoredApproval, StoredAudit } from './call-update.ts';
import { parseJson } from './stored-json.ts';
import type { AuditEntry, ToolCallApproval, ToolCallRecord } from './tool-call.ts';

/** What of a call is in its record. */
export type RecordedCall = Omit<CallState, 'resultSeq' | 'inherited' | 'late'>;

/**
 * Absent stays absent: a record has no keys with `undefined`. Keys are assigned one by one, because a
 * conversation has thousands of records, and spreading optional ones takes longer than parsing them.
 */
export function toRecord(call: RecordedCall): ToolCallRecord {
  const begin: Pick<ToolCallRecord, 'toolCallId' | 'toolName' | 'input' | 'output'> = {
    toolCallId: call.toolCallId,
    toolName: call.toolName,
    input: parseJson(call.input, () => placeIn(call, 'input')),
  };
  if (call.output !== null) begin.output = parseJson(call.output, () => placeIn(call, 'output'));
  const record = begin as ToolCallRecord;
  record.state = call.state;
  record.isError = call.isError;
  if (call.error !== null) record.error = call.error;
  record.callSeq = call.callSeq;
  if (call.messageSeq !== null) record.messageSeq = call.messageSeq;
  record.approval = toApproval(call.approval);
  record.createdAt = new Date(call.createdAt);
  record.updatedAt = new Date(call.updatedAt);
  if (call.startedAt !== null) record.startedAt = new Date(call.startedAt);
  if (call.completedAt !== null) record.completedAt = new Date(call.completedAt);
  if (call.durationMs !== null) record.durationMs = call.durationMs;
  record.auditTrail = call.audit.map(toEntry);
  return record;
}

function toApproval({ decidedAt, ...rest }: StoredApproval): ToolCallApproval {
  return decidedAt === undefined ? rest : { ...rest, decidedAt: new Date(decidedAt) };
}

function toEntry(entry: StoredAudit): AuditEntry {
  return { ...entry, at: new Date(entry.at) };
}

function placeIn({ callSeq, toolCallId }: RecordedCall, what: string): string {
  return `${what} of tool call ${callSeq} (${quoted(toolCallId)})`;
}
