import { ValidationError } from '../errors.ts';
import { checkObject, describe, validateCallName } from './ids.ts';
import { toInstant } from './instants.ts';
import { encodeJson } from './json.ts';
import { checkKeys, knownKeys } from './known-keys.ts';
import {
  type AgentToolCallRecord,
  type AuditEntry,
  TOOL_CALL_STATES,
  type ToolCallApproval,
  type ToolCallState,
  type ToolCallUpdate,
} from './tool-call.ts';

/** An approval with its instant in epoch milliseconds, as it is stored. */
export interface StoredApproval extends Omit<ToolCallApproval, 'decidedAt'> {
  decidedAt?: number;
}

export interface StoredAudit extends Omit<AuditEntry, 'at'> {
  at: number;
}

/** A caller's record, checked; payloads are JSON text and instants epoch milliseconds. Absent is undefined. */
export interface EncodedUpdate {
  field: string;
  toolCallId: string;
  callSeq?: number;
  toolName?: string;
  input?: string;
  output?: string;
  state?: ToolCallState;
  isError?: boolean;
  error?: string;
  messageSeq?: number;
  approval?: StoredApproval;
  createdAt?: number;
  updatedAt?: number;
  startedAt?: number;
  completedAt?: number;
  durationMs?: number;
  audit?: StoredAudit[];
}

const RECORD_KEYS = knownKeys<AgentToolCallRecord>('is no field of a tool call record', {
  agentId: true,
  toolCallId: true,
  callSeq: true,
  toolName: true,
  input: true,
  output: true,
  state: true,
  isError: true,
  error: true,
  messageSeq: true,
  approval: true,
  createdAt: true,
  updatedAt: true,
  startedAt: true,
  completedAt: true,
  durationMs: true,
  auditTrail: true,
});

const APPROVAL_KEYS = knownKeys<ToolCallApproval>("is no field of a call's approval", {
  required: true,
  decision: true,
  decidedBy: true,
  decidedAt: true,
  note: true,
});

const AUDIT_KEYS = knownKeys<AuditEntry>('is no field of an audit entry', {
  state: true,
  at: true,
  note: true,
});

export function encodeUpdates(records: unknown, field: string): EncodedUpdate[] {
  if (!Array.isArray(records)) throw new ValidationError(field, `must be an array, not ${describe(records)}`);
  return Array.from(records, (record: unknown, i) => encodeUpdate(record, `${field}[${i}]`));
}

function encodeUpdate(record: unknown, field: string): EncodedUpdate {
  checkObject(field, record);
  checkKeys(field, record, RECORD_KEYS);
  const given = record as ToolCallUpdate;
  validateCallName(`${field}.toolCallId`, given.toolCallId);
  const update: EncodedUpdate = { field, toolCallId: given.toolCallId };
  if (given.callSeq !== undefined) update.callSeq = ordinal(`${field}.callSeq`, given.callSeq);
  if (given.messageSeq !== undefined) update.messageSeq = ordinal(`${field}.messageSeq`, given.messageSeq);
  if (given.toolName !== undefined) {
    validateCallName(`${field}.toolName`, given.toolName);
    update.toolName = given.toolName;
  }
  if (given.input !== undefined) update.input = encodeJson(given.input, `${field}.input`);
  if (given.output !== undefined) update.output = encodeJson(given.output, `${field}.output`);
  if (given.state !== undefined) update.state = checkState(`${field}.state`, given.state);
  if (given.isError !== undefined) update.isError = checkBoolean(`${field}.isError`, given.isError);
  if (given.error !== undefined) update.error = checkText(`${field}.error`, given.error);
  if (given.approval !== undefined) update.approval = encodeApproval(`${field}.approval`, given.approval);
  for (const key of ['createdAt', 'updatedAt', 'startedAt', 'completedAt'] as const) {
    if (given[key] !== undefined) update[key] = toInstant(`${field}.${key}`, given[key]);
  }
  if (given.durationMs !== undefined)
    update.durationMs = checkDuration(`${field}.durationMs`, given.durationMs);
  if (given.auditTrail !== undefined) update.audit = encodeAudit(`${field}.auditTrail`, given.auditTrail);
  return update;
}

function encodeApproval(field: string, value: unknown): StoredApproval {
  checkObject(field, value);
  checkKeys(field, value, APPROVAL_KEYS);
  const { required, decision, decidedBy, decidedAt, note } = value as ToolCallApproval;
  const approval: StoredApproval = { required: checkBoolean(`${field}.required`, required) };
  if (decision !== undefined) {
    if (decision !== 'allow' && decision !== 'deny') {
      throw new ValidationError(`${field}.decision`, 'must be "allow" or "deny"');
    }
    approval.decision = decision;
  }
  if (decidedBy !== undefined) approval.decidedBy = checkText(`${field}.decidedBy`, decidedBy);
  if (decidedAt !== undefined) approval.decidedAt = toInstant(`${field}.decidedAt`, decidedAt);
  if (note !== undefined) approval.note = checkText(`${field}.note`, note);
  return approval;
}

function encodeAudit(field: string, value: unknown): StoredAudit[] {
  if (!Array.isArray(value)) throw new ValidationError(field, `must be an array, not ${describe(value)}`);
  return Array.from(value, (entry: unknown, i) => encodeAuditEntry(`${field}[${i}]`, entry));
}

function encodeAuditEntry(field: string, entry: unknown): StoredAudit {
  checkObject(field, entry);
  checkKeys(field, entry, AUDIT_KEYS);
  const { state, at, note } = entry as Partial<AuditEntry>;
  const stored: StoredAudit = {
    state: checkState(`${field}.state`, state),
    at: toInstant(`${field}.at`, at),
  };
  if (note !== undefined) stored.note = checkText(`${field}.note`, note);
  return stored;
}

function checkState(field: string, value: unknown): ToolCallState {
  const state = TOOL_CALL_STATES.find((known) => known === value);
  if (!state) throw new ValidationError(field, `must be one of ${TOOL_CALL_STATES.join(', ')}`);
  return state;
}

function checkBoolean(field: string, value: unknown): boolean {
  if (typeof value !== 'boolean')
    throw new ValidationError(field, `must be true or false, not ${describe(value)}`);
  return value;
}

/** Free text is stored as JSON text, so that any string comes back as it was. */
export function checkText(field: string, value: unknown): string {
  if (typeof value !== 'string') throw new ValidationError(field, `must be a string, not ${describe(value)}`);
  return value;
}

function checkDuration(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new ValidationError(field, 'must be a number of milliseconds, 0 or more');
  }
  return value;
}

export function ordinal(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new ValidationError(field, 'must be a whole number, 0 or more');
  }
  return value;
}
