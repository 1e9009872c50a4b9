import { ValidationError } from '../errors.ts';
import type {
  Channel,
  Compaction,
  CompactionRecord,
  DocumentKind,
  LeaseToken,
  ModelUsage,
  NewEvent,
  NewSnapshot,
  TodoSnapshot,
  TurnCommit,
} from './agent.ts';
import { type EncodedUpdate, encodeUpdates, ordinal } from './call-update.ts';
import { sha256 } from './crypto.ts';
import { checkBookmark, checkSfpIndex, type EncodedInfo, encodeInfo, encodeObject } from './encode-info.ts';
import { type EncodedMessage, encodeMessages } from './encode-message.ts';
import { checkObject, describe, validateId, validateName } from './ids.ts';
import { toInstant } from './instants.ts';
import { asJson, checkTotalLength, encodeJson, unreadable } from './json.ts';
import { checkKeys, knownKeys } from './known-keys.ts';

export interface EncodedEvent {
  channel: Channel;
  /** The whole event as its exact JSON text. */
  payload: string;
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
  /** Without messages: how many of the conversation's. */
  position?: number;
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
  /** The latest of those, unless it may be in the future. */
  latest: number | undefined;
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

const CHANGE_KEYS = knownKeys<TurnCommit>('is no part of a commit', {
  messages: true,
  toolCalls: true,
  events: true,
  todos: true,
  usage: true,
  info: true,
  compaction: true,
  snapshot: true,
  at: true,
  allowFuture: true,
  expectedVersion: true,
  lease: true,
  operationId: true,
});

const STATE_KEYS = ['messages', 'toolCalls', 'todos', 'usage', 'info', 'compaction', 'snapshot'] as const;

export function encodeCommit(agentId: string, change: TurnCommit): EncodedCommit {
  try {
    return encode(agentId, change);
  } catch (cause) {
    throw unreadable('change', cause);
  }
}

function encode(agentId: string, change: TurnCommit): EncodedCommit {
  checkObject('change', change);
  checkKeys('change', change, CHANGE_KEYS);
  const messages = encodeMessages(change.messages === undefined ? [] : change.messages, 'messages');
  const at = encodeInstants(change.at, messages.length);
  const encoded: EncodedCommit = {
    messages,
    at,
    latest: mayBeLater(change.allowFuture) ? undefined : at?.at(-1),
    updates: encodeUpdates(change.toolCalls === undefined ? [] : change.toolCalls, 'toolCalls'),
    events: encodeEvents(change.events === undefined ? [] : change.events),
    usage: checkUsage(change.usage === undefined ? [] : change.usage),
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
  checkLength(encoded);
  if (change.operationId !== undefined) {
    validateName('operationId', change.operationId);
    encoded.operation = { id: change.operationId, fingerprint: fingerprint(encoded) };
  }
  return encoded;
}

/** A commit of nothing, to which a part is added that is encoded already. */
export function emptyCommit(): EncodedCommit {
  return {
    messages: [],
    at: undefined,
    latest: undefined,
    updates: [],
    events: [],
    usage: [],
    expectedVersion: undefined,
    lease: undefined,
    operation: undefined,
    eventsOnly: false,
  };
}

/** Whether pieces of streamed text end with it: they are in the conversation by now, or were given up. */
export function endsStep({ messages, info }: EncodedCommit): boolean {
  return messages.length > 0 || info?.status !== undefined;
}

export function encodeEvents(events: unknown): EncodedEvent[] {
  if (!Array.isArray(events))
    throw new ValidationError('events', `must be an array, not ${describe(events)}`);
  return Array.from(events, (event: NewEvent, i) => encodeEvent(event, `events[${i}]`));
}

export function encodeEvent(given: NewEvent, field: string): EncodedEvent {
  try {
    const event = typeof given === 'object' && given !== null ? asJson(given) : given;
    checkObject(field, event);
    // JSON leaves out what an object inherits, so it isn't there.
    const channel = own(event, 'channel');
    if (channel !== 'progress' && channel !== 'control' && channel !== 'monitor') {
      throw new ValidationError(`${field}.channel`, 'must be "progress", "control" or "monitor"');
    }
    validateName(`${field}.type`, own(event, 'type'));
    return { channel, payload: encodeJson(event, field) };
  } catch (cause) {
    throw unreadable(field, cause);
  }
}

function own(value: object, key: string): unknown {
  return Object.prototype.propertyIsEnumerable.call(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function checkLength({ messages, updates, events, todos, info, compaction, snapshot }: EncodedCommit): void {
  let length = 0;
  for (const { payload } of messages) length += payload.length;
  for (const { payload } of events) length += payload.length;
  for (const { input = '', output = '' } of updates) length += input.length + output.length;
  for (const { payload } of snapshot?.messages ?? []) length += payload.length;
  for (const text of [todos?.payload, info?.metadata, compaction?.messages, compaction?.metadata]) {
    length += text?.length ?? 0;
  }
  checkTotalLength('change', length + (snapshot?.metadata?.length ?? 0));
}

function mayBeLater(allowFuture: unknown = false): boolean {
  if (typeof allowFuture === 'boolean') return allowFuture;
  throw new ValidationError('allowFuture', `must be true or false, not ${describe(allowFuture)}`);
}

/** `at` for each message, ascending; a single instant counts for all of them and for the rest. */
function encodeInstants(at: TurnCommit['at'], messageCount: number): number[] | undefined {
  if (at === undefined) return undefined;
  if (!Array.isArray(at)) return [toInstant('at', at)];
  if (at.length !== messageCount || at.length === 0) {
    throw new ValidationError('at', `must have one instant for each of the ${messageCount} messages`);
  }
  let latest = Number.NEGATIVE_INFINITY;
  return Array.from(at, (instant, i) => {
    latest = Math.max(latest, toInstant(`at[${i}]`, instant));
    return latest;
  });
}

const TODO_KEYS = knownKeys<TodoSnapshot>('is no field of to-dos', {
  todos: true,
  version: true,
  updatedAt: true,
});

function encodeTodos(todos: TodoSnapshot): NonNullable<EncodedCommit['todos']> {
  checkObject('todos', todos);
  checkKeys('todos', todos, TODO_KEYS);
  if (!Array.isArray(todos.todos) || asJson(todos.todos) !== todos.todos) {
    throw new ValidationError('todos.todos', `must be an array, not ${describe(todos.todos)}`);
  }
  return {
    payload: encodeJson(todos.todos, 'todos.todos'),
    version: todos.version === undefined ? undefined : ordinal('todos.version', todos.version),
    updatedAt: todos.updatedAt === undefined ? undefined : toInstant('todos.updatedAt', todos.updatedAt),
  };
}

/** `createdAt` is in what is loaded, and the store's own. */
const COMPACTION_KEYS = knownKeys<CompactionRecord>('is no field of a compaction', {
  seq: true,
  messages: true,
  metadata: true,
  createdAt: true,
});

function encodeCompaction(compaction: Compaction): EncodedCompaction {
  checkObject('compaction', compaction);
  checkKeys('compaction', compaction, COMPACTION_KEYS);
  const messages = encodeMessages(compaction.messages, 'compaction.messages');
  return {
    seq: ordinal('compaction.seq', compaction.seq),
    messages: joinPayloads(messages),
    metadata:
      compaction.metadata === undefined ? null : encodeObject('compaction.metadata', compaction.metadata),
  };
}

const SNAPSHOT_KEYS = knownKeys<NewSnapshot>('is no field of a snapshot', {
  id: true,
  messages: true,
  messageCount: true,
  lastSfpIndex: true,
  lastBookmark: true,
  createdAt: true,
  metadata: true,
});

function encodeSnapshot(snapshot: NewSnapshot): EncodedSnapshot {
  checkObject('snapshot', snapshot);
  checkKeys('snapshot', snapshot, SNAPSHOT_KEYS);
  validateId('snapshot.id', snapshot.id);
  const encoded: EncodedSnapshot = {
    id: snapshot.id,
    metadata: snapshot.metadata === undefined ? null : encodeObject('snapshot.metadata', snapshot.metadata),
  };
  if (snapshot.messages !== undefined)
    encoded.messages = encodeMessages(snapshot.messages, 'snapshot.messages');
  if (snapshot.messageCount !== undefined) {
    const count = ordinal('snapshot.messageCount', snapshot.messageCount);
    if (encoded.messages && encoded.messages.length !== count) {
      throw new ValidationError(
        'snapshot.messageCount',
        `is ${count}, and there are ${encoded.messages.length} messages: leave one of them out`,
      );
    }
    encoded.position = count;
  }
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

/** Where in the conversation a snapshot without messages ends. */
export function snapshotEnd({ position }: EncodedSnapshot, messageCount: number): number {
  if (position === undefined || position <= messageCount) return position ?? messageCount;
  throw new ValidationError(
    'snapshot.messageCount',
    `is ${position}, beyond the ${messageCount} messages of the conversation`,
  );
}

/** The JSON text of an array of messages whose texts are known. */
export function joinPayloads(messages: readonly { payload: string }[]): string {
  return `[${messages.map((message) => message.payload).join(',')}]`;
}

const TOKENS = ['inputTokens', 'outputTokens', 'cachedTokens', 'reasoningTokens'] as const;
const TIMES = ['latencyMs', 'timeToFirstTokenMs'] as const;

const USAGE_KEYS = knownKeys<ModelUsage>('is no field of a usage entry', {
  model: true,
  inputTokens: true,
  outputTokens: true,
  cachedTokens: true,
  reasoningTokens: true,
  latencyMs: true,
  timeToFirstTokenMs: true,
  configHash: true,
});

function checkUsage(usage: unknown): ModelUsage[] {
  if (!Array.isArray(usage)) throw new ValidationError('usage', `must be an array, not ${describe(usage)}`);
  return Array.from(usage, (entry: ModelUsage, i) => checkUsageEntry(entry, `usage[${i}]`));
}

function checkUsageEntry(entry: ModelUsage, field: string): ModelUsage {
  checkObject(field, entry);
  checkKeys(field, entry, USAGE_KEYS);
  const { model, configHash } = entry;
  validateName(`${field}.model`, model);
  const checked: ModelUsage = { model };
  for (const key of TOKENS) {
    const value = entry[key];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ValidationError(`${field}.${key}`, 'must be a whole number from 0 to 2^53 - 1');
    }
    checked[key] = value;
  }
  for (const key of TIMES) {
    const value = entry[key];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
      throw new ValidationError(`${field}.${key}`, 'must be a number from 0 to 2^53 - 1');
    }
    checked[key] = Math.round(value);
  }
  if (configHash !== undefined) {
    validateName(`${field}.configHash`, configHash);
    checked.configHash = configHash;
  }
  return checked;
}

export function checkLease(agentId: string, lease: unknown): LeaseToken | undefined {
  if (lease === undefined) return undefined;
  const token = lease as Partial<LeaseToken> | null;
  if (
    (typeof token !== 'object' && typeof token !== 'function') ||
    token === null ||
    typeof token.token !== 'number' ||
    !Number.isSafeInteger(token.token) ||
    typeof token.holderId !== 'string'
  ) {
    throw new ValidationError(
      'lease',
      `must be a lease from acquireAgentLock() or claimResumable(), not ${describe(lease)}`,
    );
  }
  if (token.agentId !== agentId) {
    throw new ValidationError('lease', `is a lease on agent "${token.agentId}", not on "${agentId}"`);
  }
  validateName('lease.holderId', token.holderId);
  return { agentId, token: token.token, holderId: token.holderId };
}

/**
 * What makes two commits the same change: everything but the fences around it. The texts that most of it
 * consists of are taken as they are; their lengths keep them apart.
 */
function fingerprint(encoded: EncodedCommit): string {
  const {
    expectedVersion: _version,
    lease: _lease,
    operation: _operation,
    latest: _latest,
    ...change
  } = encoded;
  const { messages, events, updates, ...rest } = change;
  const texts = [...messages, ...events].map(({ payload }) => payload);
  const records = updates.map(({ input, output, ...record }) => {
    texts.push(input ?? '', output ?? '');
    return { ...record, input: input !== undefined, output: output !== undefined };
  });
  const lengths = texts.map((text) => text.length);
  const outline = JSON.stringify([messages.length, events.length, lengths, records, rest]);
  return sha256(outline + texts.join(''), 'base64');
}
