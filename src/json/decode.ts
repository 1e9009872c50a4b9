import { DOCUMENT_KINDS } from '../model/agent.ts';
import type { StoredApproval, StoredAudit } from '../model/call-update.ts';
import { encodeInfo } from '../model/encode-info.ts';
import { TOOL_CALL_STATES } from '../model/tool-call.ts';
import {
  type CallChange,
  type DocumentChange,
  DROPPED,
  type Entry,
  type LogHeader,
  type SharedHistory,
  type StoredMessage,
  type StoredSnapshot,
} from './entry.ts';
import { Fields, MalformedError } from './fields.ts';
import { FORMAT } from './lines.ts';

const DECISIONS = ['allow', 'deny'] as const;

/** A format that is newer than this code: not damage, but nothing to guess about. */
export class NewerFormatError extends Error {}

export function decodeHeader(text: string): LogHeader {
  const fields = new Fields(JSON.parse(text), 'header');
  const format = fields.count('format');
  if (format !== 1 && format !== FORMAT) throw new NewerFormatError(`format ${format}`);
  return {
    format,
    agentId: fields.text('agentId'),
    key: fields.text('key'),
    createdAt: fields.integer('createdAt'),
    ...fields.optional('base', () => decodeShared(fields.object('base'))),
  };
}

function decodeShared(fields: Fields): SharedHistory {
  return {
    agentId: fields.text('agentId'),
    key: fields.text('key'),
    n: fields.count('n'),
    position: fields.count('position'),
    ...fields.optional('snapshot', (key) => fields.text(key)),
    whole: fields.boolean('whole'),
    ...(fields.has('unused') ? { unused: true as const } : {}),
  };
}

/** The entries of one line. Their texts were checked by a checksum: what fails here was written by other code. */
export function decodeLine(agentId: string, text: string): Entry[] {
  const entries: unknown = JSON.parse(text);
  if (!Array.isArray(entries) || entries.length === 0)
    throw new MalformedError('a line is no list of entries');
  return entries.map((entry) => decodeEntry(agentId, new Fields(entry, 'entry')));
}

function decodeEntry(agentId: string, fields: Fields): Entry {
  const at = fields.integer('at');
  return {
    n: fields.count('n'),
    ...fields.optional('after', (key) => fields.count(key)),
    at,
    version: fields.count('version'),
    ...fields.optional('info', (key) => encodeInfo(agentId, fields.value(key) as object)),
    ...fields.optional('keep', (key) => decodeKeep(fields.object(key))),
    ...(fields.has('branch') ? { branch: true as const } : {}),
    ...fields.optional('messages', (key) => decodeMessages(fields.value(key), at)),
    ...fields.optional('calls', (key) => fields.array(key).map(decodeCall)),
    ...fields.optional('events', (key) => fields.array(key).map((event) => JSON.stringify(event))),
    ...fields.optional('todos', (key) => decodeTodos(fields.object(key))),
    ...fields.optional('usage', (key) => fields.payload(key)),
    ...fields.optional('compaction', (key) => decodeCompaction(fields.object(key))),
    ...fields.optional('snapshot', (key) => decodeSnapshot(fields.object(key))),
    ...fields.optional('operation', (key) => decodeOperation(fields.object(key))),
    ...fields.optional('document', (key) => decodeDocument(fields.object(key))),
  };
}

function decodeKeep(fields: Fields): NonNullable<Entry['keep']> {
  return { messages: fields.count('messages'), calls: fields.count('calls') };
}

function decodeMessages(value: unknown, at: number): StoredMessage[] {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) {
    return new Array<StoredMessage>(value).fill(DROPPED);
  }
  if (!Array.isArray(value)) throw new MalformedError('messages are no array');
  return value.map((item: unknown) => {
    if (item === null) return DROPPED;
    const fields = new Fields(item, 'message');
    return { at: fields.has('at') ? fields.integer('at') : at, payload: fields.payload('message') };
  });
}

function decodeCall(value: unknown): CallChange {
  const fields = new Fields(value, 'call');
  const integer = (key: string) => fields.integer(key);
  const text = (key: string) => fields.text(key);
  return {
    callSeq: fields.count('callSeq'),
    ...fields.optional('toolCallId', text),
    ...fields.optional('toolName', text),
    ...fields.optional('state', (key) => fields.oneOf(key, TOOL_CALL_STATES)),
    ...fields.optional('isError', (key) => fields.boolean(key)),
    ...fields.optional('approval', (key) => decodeApproval(fields.object(key))),
    ...fields.optional('messageSeq', integer),
    ...fields.optional('resultSeq', integer),
    ...fields.optional('createdAt', integer),
    ...fields.optional('updatedAt', integer),
    ...fields.optional('startedAt', integer),
    ...fields.optional('completedAt', integer),
    ...fields.optional('durationMs', (key) => fields.number(key)),
    ...fields.optional('input', (key) => fields.payload(key)),
    ...fields.optional('output', (key) => fields.payload(key)),
    ...fields.optional('error', text),
    ...fields.optional('audit', (key) => fields.array(key).map(decodeAudit)),
  };
}

function decodeApproval(fields: Fields): StoredApproval {
  return {
    required: fields.boolean('required'),
    ...fields.optional('decision', (key) => fields.oneOf(key, DECISIONS)),
    ...fields.optional('decidedBy', (key) => fields.text(key)),
    ...fields.optional('decidedAt', (key) => fields.integer(key)),
    ...fields.optional('note', (key) => fields.text(key)),
  };
}

function decodeAudit(value: unknown): StoredAudit {
  const fields = new Fields(value, 'audit');
  return {
    state: fields.oneOf('state', TOOL_CALL_STATES),
    at: fields.integer('at'),
    ...fields.optional('note', (key) => fields.text(key)),
  };
}

function decodeTodos(fields: Fields): NonNullable<Entry['todos']> {
  return {
    payload: fields.payload('todos'),
    version: fields.count('version'),
    updatedAt: fields.integer('updatedAt'),
  };
}

function decodeCompaction(fields: Fields): NonNullable<Entry['compaction']> {
  return {
    seq: fields.count('seq'),
    messages: fields.payload('messages'),
    metadata: fields.has('metadata') ? fields.payload('metadata') : null,
  };
}

function decodeSnapshot(fields: Fields): StoredSnapshot {
  return {
    id: fields.text('id'),
    position: fields.count('position'),
    messages: fields.has('messages') ? fields.payload('messages') : null,
    createdAt: fields.integer('createdAt'),
    lastSfpIndex: fields.integer('lastSfpIndex'),
    ...fields.optional('lastBookmark', (key) => decodeBookmark(fields.object(key))),
    metadata: fields.has('metadata') ? fields.payload('metadata') : null,
  };
}

function decodeBookmark(fields: Fields): { seq: number; timestamp: number } {
  return { seq: fields.count('seq'), timestamp: fields.number('timestamp') };
}

function decodeOperation(fields: Fields): NonNullable<Entry['operation']> {
  return {
    id: fields.text('id'),
    fingerprint: fields.text('fingerprint'),
    recordedAt: fields.integer('recordedAt'),
  };
}

function decodeDocument(fields: Fields): DocumentChange {
  return {
    kind: fields.oneOf('kind', DOCUMENT_KINDS),
    name: fields.text('name'),
    createdAt: fields.integer('createdAt'),
    ...(fields.has('removed') ? { removed: true as const } : {}),
  };
}
