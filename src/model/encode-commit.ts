import { createHash } from 'node:crypto';
import { ValidationError } from '../errors.ts';
import {
  AGENT_STATUSES,
  type AgentInfoInput,
  type AgentStatus,
  type Channel,
  type Compaction,
  DOCUMENT_KINDS,
  type DocumentKind,
  type LeaseToken,
  type ModelUsage,
  type NewEvent,
  type NewSnapshot,
  type TodoSnapshot,
  type TurnCommit,
} from './agent.ts';
import { checkText, type EncodedUpdate, encodeUpdates, ordinal } from './call-update.ts';
import { type EncodedMessage, encodeMessages } from './encode-message.ts';
import { describe, validateId, validateName } from './ids.ts';
import { toInstant } from './instants.ts';
import { encodeJson } from './json.ts';

export interface EncodedEvent {
  channel: Channel;
  /** The whole event as its exact JSON text. */
  payload: string;
}

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

export interface EncodedCompaction {
  seq: number;
  messages: string;
  metadata: string | null;
}

export interface EncodedSnapshot {
  id: string;
  /** The exact text of each message; undefined for the conversation as it will be. */
  messages?: EncodedMessage[];
  lastSfpIndex?: number;
  lastBookmark?: { seq: number; timestamp: number };
  createdAt?: number;
  metadata: string | null;
}

/** A document to save, or (without a payload) to remove. */
export interface EncodedDocument {
  kind: DocumentKind;
  name: string;
  payload: string | null;
}

/** A commit, checked as a whole before anything is written: whatever is refused is refused here. */
export interface EncodedCommit {
  messages: EncodedMessage[];
  /** When each message happened; undefined for now. */
  at: number[] | undefined;
  updates: EncodedUpdate[];
  events: EncodedEvent[];
  todos?: { payload: string; version: number | undefined; updatedAt: number | undefined };
  usage: ModelUsage[];
  info?: EncodedInfo;
  compaction?: EncodedCompaction;
  snapshot?: EncodedSnapshot;
  documents?: EncodedDocument[];
  expectedVersion: number | undefined;
  lease: LeaseToken | undefined;
  operation: { id: string; fingerprint: string } | undefined;
  /** Only events: needs no lease and doesn't raise the version. */
  eventsOnly: boolean;
}

const CHANGE_KEYS = new Set([
  'messages',
  'toolCalls',
  'events',
  'todos',
  'usage',
  'info',
  'compaction',
  'snapshot',
  'at',
  'expectedVersion',
  'lease',
  'operationId',
]);

const STATE_KEYS = ['messages', 'toolCalls', 'todos', 'usage', 'info', 'compaction', 'snapshot'] as const;

export function encodeCommit(agentId: string, change: TurnCommit): EncodedCommit {
  if (typeof change !== 'object' || change === null) {
    throw new ValidationError('change', `must be an object, not ${describe(change)}`);
  }
  for (const key of Object.keys(change)) {
    if (!CHANGE_KEYS.has(key)) {
      throw new ValidationError(
        `change.${key}`,
        `is no part of a commit; those are ${[...CHANGE_KEYS].join(', ')}`,
      );
    }
  }
  const messages = encodeMessages(change.messages ?? [], 'messages');
  const encoded: EncodedCommit = {
    messages,
    at: encodeInstants(change.at, messages.length),
    updates: encodeUpdates(change.toolCalls ?? [], 'toolCalls'),
    events: encodeEvents(change.events ?? []),
    usage: checkUsage(change.usage ?? []),
    expectedVersion:
      change.expectedVersion === undefined ? undefined : ordinal('expectedVersion', change.expectedVersion),
    lease: checkLease(agentId, change.lease),
    operation: undefined,
    eventsOnly:
      change.events !== undefined &&
      change.expectedVersion === undefined &&
      STATE_KEYS.every((key) => change[key] === undefined),
  };
  if (change.todos !== undefined) encoded.todos = encodeTodos(change.todos);
  if (change.info !== undefined) encoded.info = encodeInfo(agentId, change.info);
  if (change.compaction !== undefined) encoded.compaction = encodeCompaction(change.compaction);
  if (change.snapshot !== undefined) encoded.snapshot = encodeSnapshot(change.snapshot);
  if (change.operationId !== undefined) {
    validateName('operationId', change.operationId);
    encoded.operation = { id: change.operationId, fingerprint: fingerprint(encoded) };
  }
  return encoded;
}

export function encodeEvents(events: unknown): EncodedEvent[] {
  if (!Array.isArray(events))
    throw new ValidationError('events', `must be an array, not ${describe(events)}`);
  return events.map((event: NewEvent, i) => encodeEvent(event, `events[${i}]`));
}

export function encodeEvent(event: NewEvent, field: string): EncodedEvent {
  if (typeof event !== 'object' || event === null) {
    throw new ValidationError(field, `must be an event object, not ${describe(event)}`);
  }
  if (event.channel !== 'progress' && event.channel !== 'control' && event.channel !== 'monitor') {
    throw new ValidationError(`${field}.channel`, 'must be "progress", "control" or "monitor"');
  }
  validateName(`${field}.type`, event.type);
  return { channel: event.channel, payload: encodeJson(event, field) };
}

/** `at` for each message, ascending; a single instant counts for all of them and for the rest. */
function encodeInstants(at: TurnCommit['at'], messageCount: number): number[] | undefined {
  if (at === undefined) return undefined;
  if (!Array.isArray(at)) return [toInstant('at', at)];
  if (at.length !== messageCount || at.length === 0) {
    throw new ValidationError('at', `must have one instant for each of the ${messageCount} messages`);
  }
  let latest = Number.NEGATIVE_INFINITY;
  return at.map((instant, i) => {
    latest = Math.max(latest, toInstant(`at[${i}]`, instant));
    return latest;
  });
}

function encodeTodos(todos: TodoSnapshot): NonNullable<EncodedCommit['todos']> {
  if (typeof todos !== 'object' || todos === null || !Array.isArray(todos.todos)) {
    throw new ValidationError('todos', 'must be an object with an array "todos"');
  }
  return {
    payload: encodeJson(todos.todos, 'todos.todos'),
    version: todos.version === undefined ? undefined : ordinal('todos.version', todos.version),
    updatedAt: todos.updatedAt === undefined ? undefined : toInstant('todos.updatedAt', todos.updatedAt),
  };
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
    if (value !== null) validateName(`info.${key}`, value);
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

function checkSfpIndex(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < -1) {
    throw new ValidationError(field, 'must be a whole number, -1 or more');
  }
  return value;
}

function checkBookmark<T extends { seq: number; timestamp: number } | null>(field: string, value: T): T {
  if (value === null) return value;
  if (typeof value !== 'object')
    throw new ValidationError(field, `must be a bookmark, not ${describe(value)}`);
  ordinal(`${field}.seq`, value.seq);
  toInstant(`${field}.timestamp`, value.timestamp);
  return { seq: value.seq, timestamp: Number(value.timestamp) } as T;
}

function encodeMetadata(field: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError(field, `must be an object, not ${describe(value)}`);
  }
  return encodeJson(value, field);
}

function encodeCompaction(compaction: Compaction): EncodedCompaction {
  if (typeof compaction !== 'object' || compaction === null) {
    throw new ValidationError('compaction', `must be an object, not ${describe(compaction)}`);
  }
  const messages = encodeMessages(compaction.messages, 'compaction.messages');
  return {
    seq: ordinal('compaction.seq', compaction.seq),
    messages: joinPayloads(messages),
    metadata:
      compaction.metadata === undefined ? null : encodeMetadata('compaction.metadata', compaction.metadata),
  };
}

function encodeSnapshot(snapshot: NewSnapshot): EncodedSnapshot {
  if (typeof snapshot !== 'object' || snapshot === null) {
    throw new ValidationError('snapshot', `must be an object, not ${describe(snapshot)}`);
  }
  validateId('snapshot.id', snapshot.id);
  const encoded: EncodedSnapshot = {
    id: snapshot.id,
    metadata: snapshot.metadata === undefined ? null : encodeMetadata('snapshot.metadata', snapshot.metadata),
  };
  if (snapshot.messages !== undefined)
    encoded.messages = encodeMessages(snapshot.messages, 'snapshot.messages');
  if (snapshot.lastSfpIndex !== undefined) {
    encoded.lastSfpIndex = checkSfpIndex('snapshot.lastSfpIndex', snapshot.lastSfpIndex);
  }
  if (snapshot.lastBookmark !== undefined) {
    encoded.lastBookmark = checkBookmark('snapshot.lastBookmark', snapshot.lastBookmark);
  }
  if (snapshot.createdAt !== undefined)
    encoded.createdAt = toInstant('snapshot.createdAt', snapshot.createdAt);
  return encoded;
}

const MAX_DOCUMENT_NAME_BYTES = 1_024;

export function checkDocumentKey(kind: unknown, name: unknown): asserts kind is DocumentKind {
  if (!DOCUMENT_KINDS.some((known) => known === kind)) {
    throw new ValidationError('kind', `must be one of ${DOCUMENT_KINDS.join(', ')}`);
  }
  validateName('name', name, MAX_DOCUMENT_NAME_BYTES);
}

/** The JSON text of an array of messages whose texts are known. */
export function joinPayloads(messages: readonly { payload: string }[]): string {
  return `[${messages.map((message) => message.payload).join(',')}]`;
}

const USAGE_NUMBERS = [
  'inputTokens',
  'outputTokens',
  'cachedTokens',
  'reasoningTokens',
  'latencyMs',
  'timeToFirstTokenMs',
] as const;

function checkUsage(usage: unknown): ModelUsage[] {
  if (!Array.isArray(usage)) throw new ValidationError('usage', `must be an array, not ${describe(usage)}`);
  return usage.map((entry: ModelUsage, i) => {
    validateName(`usage[${i}].model`, entry?.model);
    const checked: ModelUsage = { model: entry.model };
    for (const key of USAGE_NUMBERS) {
      const value = entry[key];
      if (value === undefined) continue;
      if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
        throw new ValidationError(`usage[${i}].${key}`, 'must be a number, 0 or more');
      }
      checked[key] = Math.round(value);
    }
    if (entry.configHash !== undefined) {
      validateName(`usage[${i}].configHash`, entry.configHash);
      checked.configHash = entry.configHash;
    }
    return checked;
  });
}

export function checkLease(agentId: string, lease: unknown): LeaseToken | undefined {
  if (lease === undefined) return undefined;
  const token = lease as LeaseToken | null;
  if (token === null || typeof token.token !== 'number' || typeof token.holderId !== 'string') {
    throw new ValidationError('lease', 'must be a lease from acquireAgentLock() or claimResumable()');
  }
  if (token.agentId !== agentId) {
    throw new ValidationError('lease', `is a lease on agent "${token.agentId}", not on "${agentId}"`);
  }
  return token;
}

/** What makes two commits the same change: everything but the fences around it. */
function fingerprint(encoded: EncodedCommit): string {
  const { expectedVersion: _version, lease: _lease, operation: _operation, ...change } = encoded;
  return createHash('sha256').update(JSON.stringify(change)).digest('base64');
}
