import { ValidationError } from '../errors.ts';
import { AGENT_STATUSES, type AgentInfoInput, type AgentStatus } from './agent.ts';
import { checkText, ordinal } from './call-update.ts';
import { describe, validateCallName, validateName } from './ids.ts';
import { toInstant } from './instants.ts';
import { encodeJson } from './json.ts';

/** Undefined: unchanged. Null: cleared. Texts are JSON. */
export interface EncodedInfo {
  templateId?: string;
  userId?: string | null;
  status?: AgentStatus;
  createdAt?: number;
  configVersion?: string;
  lineage?: string[];
  parentAgentId?: string | null;
  parentToolCallId?: string | null;
  lastSfpIndex?: number;
  lastBookmark?: { seq: number; timestamp: number } | null;
  breakpoint?: string | null;
  /** Exact JSON text. */
  metadata?: string;
}

const INFO_KEYS = new Set([
  'agentId',
  'templateId',
  'userId',
  'status',
  'createdAt',
  'updatedAt',
  'configVersion',
  'lineage',
  'parentAgentId',
  'parentToolCallId',
  'messageCount',
  'lastSfpIndex',
  'lastBookmark',
  'breakpoint',
  'metadata',
  'version',
]);

export function encodeInfo(agentId: string, info: AgentInfoInput): EncodedInfo {
  if (typeof info !== 'object' || info === null) {
    throw new ValidationError('info', `must be an object, not ${describe(info)}`);
  }
  for (const key of Object.keys(info)) {
    if (!INFO_KEYS.has(key))
      throw new ValidationError(`info.${key}`, 'is no field of an agent; put it into metadata');
  }
  const encoded: EncodedInfo = {};
  if (info.agentId !== undefined && info.agentId !== agentId) {
    throw new ValidationError('info.agentId', `names another agent than "${agentId}"`);
  }
  if (info.templateId !== undefined) {
    validateName('info.templateId', info.templateId);
    encoded.templateId = info.templateId;
  }
  for (const key of ['userId', 'parentAgentId', 'parentToolCallId'] as const) {
    const value: unknown = info[key];
    if (value === undefined) continue;
    if (value !== null && key === 'parentToolCallId') validateCallName(`info.${key}`, value);
    else if (value !== null) validateName(`info.${key}`, value);
    encoded[key] = value as string | null;
  }
  if (info.status !== undefined) encoded.status = checkStatus(info.status);
  if (info.createdAt !== undefined) encoded.createdAt = toInstant('info.createdAt', info.createdAt);
  if (info.configVersion !== undefined) {
    validateName('info.configVersion', info.configVersion);
    encoded.configVersion = info.configVersion;
  }
  if (info.lineage !== undefined) encoded.lineage = checkLineage(info.lineage);
  if (info.lastSfpIndex !== undefined)
    encoded.lastSfpIndex = checkSfpIndex('info.lastSfpIndex', info.lastSfpIndex);
  if (info.lastBookmark !== undefined)
    encoded.lastBookmark = checkBookmark('info.lastBookmark', info.lastBookmark);
  if (info.breakpoint !== undefined) {
    const breakpoint: unknown = info.breakpoint;
    encoded.breakpoint = breakpoint === null ? null : checkText('info.breakpoint', breakpoint);
  }
  if (info.metadata !== undefined) encoded.metadata = encodeMetadata('info.metadata', info.metadata);
  return encoded;
}

function checkStatus(value: unknown): AgentStatus {
  const status = AGENT_STATUSES.find((known) => known === value);
  if (!status) throw new ValidationError('info.status', `must be one of ${AGENT_STATUSES.join(', ')}`);
  return status;
}

function checkLineage(value: unknown): string[] {
  if (!Array.isArray(value)) throw new ValidationError('info.lineage', 'must be an array of agent ids');
  for (const [i, id] of value.entries()) validateName(`info.lineage[${i}]`, id);
  return value as string[];
}

export function checkSfpIndex(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < -1) {
    throw new ValidationError(field, 'must be a whole number, -1 or more');
  }
  return value;
}

export function checkBookmark<T extends { seq: number; timestamp: number } | null>(
  field: string,
  value: T,
): T {
  if (value === null) return value;
  if (typeof value !== 'object')
    throw new ValidationError(field, `must be a bookmark, not ${describe(value)}`);
  ordinal(`${field}.seq`, value.seq);
  toInstant(`${field}.timestamp`, value.timestamp);
  return { seq: value.seq, timestamp: Number(value.timestamp) } as T;
}

export function encodeMetadata(field: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError(field, `must be an object, not ${describe(value)}`);
  }
  return encodeJson(value, field);
}
