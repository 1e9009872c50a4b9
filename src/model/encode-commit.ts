import { ValidationError } from '../errors.ts';
import type {
  Channel,
  Compaction,
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
import { checkBookmark, checkSfpIndex, type EncodedInfo, encodeInfo, encodeMetadata } from './encode-info.ts';
import { type EncodedMessage, encodeMessages } from './encode-message.ts';
import { describe, validateId, validateName } from './ids.ts';
import { toInstant } from './instants.ts';
import { encodeJson } from './json.ts';

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

/** A commit of nothing, to which a part is added that is encoded already. */
export function emptyCommit(): EncodedCommit {
  return {
    messages: [],
    at: undefined,
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

/**
 * What makes two commits the same change: everything but the fences around it. The texts that most of it
 * consists of are taken as they are; their lengths keep them apart.
 */
function fingerprint(encoded: EncodedCommit): string {
  const { expectedVersion: _version, lease: _lease, operation: _operation, ...change } = encoded;
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
