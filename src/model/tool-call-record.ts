import type { CallState } from './call-book.ts';
import type { StoredApproval } from './call-update.ts';
import { parseJson } from './stored-json.ts';
import type { AuditEntry, ToolCallApproval, ToolCallRecord } from './tool-call.ts';

/** Absent stays absent: a record has no keys with `undefined`. */
export function toRecord(call: CallState): ToolCallRecord {
  const where = `tool call ${call.callSeq} ("${call.toolCallId}")`;
  return {
    toolCallId: call.toolCallId,
    toolName: call.toolName,
    input: parseJson(call.input, `input of ${where}`),
    ...(call.output === null ? {} : { output: parseJson(call.output, `output of ${where}`) }),
    state: call.state,
    isError: call.isError,
    ...(call.error === null ? {} : { error: call.error }),
    callSeq: call.callSeq,
    ...(call.messageSeq === null ? {} : { messageSeq: call.messageSeq }),
    approval: toApproval(call.approval),
    createdAt: new Date(call.createdAt),
    updatedAt: new Date(call.updatedAt),
    ...(call.startedAt === null ? {} : { startedAt: new Date(call.startedAt) }),
    ...(call.completedAt === null ? {} : { completedAt: new Date(call.completedAt) }),
    ...(call.durationMs === null ? {} : { durationMs: call.durationMs }),
    auditTrail: call.audit.map((entry): AuditEntry => ({ ...entry, at: new Date(entry.at) })),
  };
}

function toApproval({ decidedAt, ...rest }: StoredApproval): ToolCallApproval {
  return decidedAt === undefined ? rest : { ...rest, decidedAt: new Date(decidedAt) };
}
