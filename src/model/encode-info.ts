import { ValidationError } from '../errors.ts';
import {
  AGENT_STATUSES,
  type AgentFailure,
  type AgentInfo,
  type AgentInfoInput,
  type AgentStatus,
  type Bookmark,
} from './agent.ts';
import { checkText, ordinal } from './call-update.ts';
import { checkObject, validateCallName, validateName } from './ids.ts';
import { toInstant } from './instants.ts';
import { asJson, encodeJson, reading } from './json.ts';
import { checkKeys, knownKeys } from './known-keys.ts';

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
  failure?: { code: string; message: string; at?: number } | null;
  /** Exact JSON text. */
  metadata?: string;
}

const INFO_KEYS = knownKeys<AgentInfo>(
  'is no field of an agent',
  {
    agentId: true,
    templateId: true,
    userId: true,
    status: true,
    createdAt: true,
    updatedAt: true,
    configVersion: true,
    lineage: true,
    parentAgentId: true,
    parentToolCallId: true,
    messageCount: true,
    lastSfpIndex: true,
    lastBookmark: true,
    breakpoint: true,
    metadata: true,
    version: true,
    attempts: true,
    failure: true,
  },
  '; anything else goes into metadata',
);

export function encodeInfo(agentId: string, info: AgentInfoInput): EncodedInfo {
  checkObject('info', info);
  checkKeys('info', info, INFO_KEYS);
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
    encoded.lastBookmark =
      info.lastBookmark === null ? null : checkBookmark('info.lastBookmark', info.lastBookmark);
  if (info.breakpoint !== undefined) {
    const breakpoint: unknown = info.breakpoint;
    encoded.breakpoint = breakpoint === null ? null : checkText('info.breakpoint', breakpoint);
  }
  if (info.failure !== undefined) encoded.failure = info.failure && encodeFailure(info.failure);
  if (info.metadata !== undefined) encoded.metadata = encodeObject('info.metadata', info.metadata);
  return encoded;
}

const FAILURE_KEYS = knownKeys<AgentFailure>('is no field of a failure', {
  code: true,
  message: true,
  at: true,
});

function encodeFailure(failure: NonNullable<AgentInfoInput['failure']>): NonNullable<EncodedInfo['failure']> {
  checkObject('info.failure', failure);
  checkKeys('info.failure', failure, FAILURE_KEYS);
  const { code, message, at } = failure;
  validateName('info.failure.code', code);
  return {
    code,
    message: checkText('info.failure.message', message),
    ...(at === undefined ? {} : { at: toInstant('info.failure.at', at) }),
  };
}

function checkStatus(value: unknown): AgentStatus {
  const status = AGENT_STATUSES.find((known) => known === value);
  if (!status) throw new ValidationError('info.status', `must be one of ${AGENT_STATUSES.join(', ')}`);
  return status;
}

function checkLineage(value: unknown): string[] {
  if (!Array.isArray(value)) throw new ValidationError('info.lineage', 'must be an array of agent ids');
  return Array.from(value, (id: unknown, i) => {
    validateName(`info.lineage[${i}]`, id);
    return id;
  });
}

export function checkSfpIndex(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < -1) {
    throw new ValidationError(field, 'must be a whole number, -1 or more');
  }
  return value;
}

const BOOKMARK_KEYS = knownKeys<Bookmark>('is no field of a bookmark', { seq: true, timestamp: true });

export function checkBookmark(field: string, value: unknown): Bookmark {
  checkObject(field, value);
  checkKeys(field, value, BOOKMARK_KEYS);
  const { seq, timestamp } = value as Partial<Bookmark>;
  return { seq: ordinal(`${field}.seq`, seq), timestamp: toInstant(`${field}.timestamp`, timestamp) };
}

/** An object's JSON text: what a toJSON of the caller's makes of it must be one, too. */
export function encodeObject(field: string, value: unknown): string {
  return reading(field, () => {
    checkObject(field, value);
    const json = asJson(value);
    checkObject(field, json);
    return encodeJson(json, field);
  });
}
