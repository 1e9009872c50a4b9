import type { Bookmark, DocumentKind } from '../model/agent.ts';
import type { CallState } from '../model/call-book.ts';
import type { EncodedInfo } from '../model/encode-info.ts';
import type { Format } from './lines.ts';

/** The first line of a log. */
export interface LogHeader {
  format: Format;
  agentId: string;
  /** Tells this agent from earlier and later ones with the same id. */
  key: string;
  createdAt: number;
  /** Where a fork begins whose history is in another log. Such were written by 3.0.0-alpha.1 and 3.0.0-alpha.2. */
  base?: SharedHistory;
}

/** A position in a conversation, at which a fork begins. */
export interface ForkPoint {
  /** Of the conversation, or of this snapshot where one is named. */
  position: number;
  snapshot?: string;
  /** The whole conversation is forked: calls that no message asked for come along. */
  whole: boolean;
}

/** A fork's history before its own first message, in another log. */
export interface SharedHistory extends ForkPoint {
  agentId: string;
  key: string;
  /** The log as it was after this entry: what was written to it later doesn't show in the fork. */
  n: number;
  /** Nothing of it is of use any more: the other log may be gone. */
  unused?: true;
}

export interface StoredMessage {
  at: number;
  /** Exact JSON text of the whole message. */
  payload: string;
}

/** Stands for a message that nobody needs any more: its place counts, its text is gone. */
export const DROPPED: StoredMessage = { at: 0, payload: '' };

export interface StoredTodos {
  payload: string;
  version: number;
  updatedAt: number;
}

export interface StoredSnapshot {
  id: string;
  /** Number of its messages. */
  position: number;
  /** JSON text of its own messages; null for the first `position` ones of the conversation. */
  messages: string | null;
  createdAt: number;
  lastSfpIndex: number;
  lastBookmark?: Bookmark;
  metadata: string | null;
}

export interface StoredOperation {
  id: string;
  fingerprint: string;
  /** By the clock, also where the commit has an instant of its own. */
  recordedAt: number;
}

/** Of a document the log holds the name; its content is a file of its own, named by the entry's number. */
export interface DocumentChange {
  kind: DocumentKind;
  name: string;
  createdAt: number;
  removed?: true;
}

/** A call that is new, whole; or what has changed of one that is there. */
export type CallChange = Pick<CallState, 'callSeq'> & Partial<CallState>;

/** What is given of an agent's facts; when it was created is in the header. */
export type InfoChange = Omit<EncodedInfo, 'createdAt'>;

/** What one commit, event or decision adds to an agent's log. Payloads are JSON texts. */
export interface Entry {
  /** 0 in the entries that hold what a fork inherited: they come first, and are no change of its own. */
  n: number;
  /** The entry before it in the file, where that isn't `n - 1` (rewritten logs have gaps). */
  after?: number;
  at: number;
  /** The agent's version after it. */
  version: number;
  info?: InfoChange;
  /** The conversation is cut back to so many messages first, and to so many calls. */
  keep?: { messages: number; calls: number };
  /** With `keep`: a snapshot needs what is cut off, so the conversation goes on as a copy. */
  branch?: true;
  messages?: StoredMessage[];
  calls?: CallChange[];
  events?: string[];
  todos?: StoredTodos;
  /** JSON text of an array of model usage. */
  usage?: string;
  compaction?: { seq: number; messages: string; metadata: string | null };
  snapshot?: StoredSnapshot;
  operation?: StoredOperation;
  document?: DocumentChange;
}

export function encodeHeader(header: LogHeader): string {
  return JSON.stringify(header);
}

/** An entry's text. Payloads stand in it as they are, so that a log can be read with any JSON tool. */
export function encodeEntry(entry: Entry): string {
  const object = new ObjectText();
  object.value('n', entry.n);
  if (entry.after !== undefined && entry.after !== entry.n - 1) object.value('after', entry.after);
  object.value('at', entry.at);
  object.value('version', entry.version);
  if (entry.info) object.raw('info', encodeInfoText(entry.info));
  if (entry.keep !== undefined) object.value('keep', entry.keep);
  if (entry.branch) object.value('branch', true);
  if (entry.messages) object.raw('messages', encodeMessagesText(entry.messages, entry.at));
  if (entry.calls) object.raw('calls', list(entry.calls.map(encodeCall)));
  if (entry.events) object.raw('events', list(entry.events));
  if (entry.todos) {
    const { payload, ...rest } = entry.todos;
    object.raw('todos', withRaw(rest, { todos: payload }));
  }
  if (entry.usage !== undefined) object.raw('usage', entry.usage);
  if (entry.compaction) {
    const { seq, messages, metadata } = entry.compaction;
    object.raw('compaction', withRaw({ seq }, { messages, metadata }));
  }
  if (entry.snapshot) {
    const { messages, metadata, ...rest } = entry.snapshot;
    object.raw('snapshot', withRaw(rest, { messages, metadata }));
  }
  if (entry.operation) object.value('operation', entry.operation);
  if (entry.document) object.value('document', entry.document);
  return object.toString();
}

/** The text of a line: what was written together is read together, or not at all. */
export function encodeLine(entries: readonly string[]): string {
  return list(entries);
}

function encodeInfoText({ metadata, ...rest }: InfoChange): string {
  return withRaw(rest, { metadata });
}

function encodeMessagesText(messages: readonly StoredMessage[], at: number): string {
  const lastUsed = messages.findLastIndex((message) => message !== DROPPED);
  if (messages.length > 0 && lastUsed === -1) return String(messages.length);
  return list(
    messages.map((message) => {
      if (message === DROPPED) return 'null';
      return withRaw(message.at === at ? {} : { at: message.at }, { message: message.payload });
    }),
  );
}

function encodeCall({ input, output, inherited: _inherited, late: _late, ...call }: CallChange): string {
  const present = Object.entries(call).filter(([, value]) => value !== null && value !== undefined);
  return withRaw(Object.fromEntries(present), { input, output });
}

function withRaw(values: object, raws: Record<string, string | null | undefined>): string {
  const object = new ObjectText();
  for (const [key, value] of Object.entries(values)) object.value(key, value);
  for (const [key, text] of Object.entries(raws)) if (typeof text === 'string') object.raw(key, text);
  return object.toString();
}

/** Put together by reference: `join` would copy a payload for each list that it is in, before it is written. */
function list(texts: readonly string[]): string {
  let items = '';
  for (const text of texts) items += items === '' ? text : `,${text}`;
  return `[${items}]`;
}

class ObjectText {
  #text = '';

  value(key: string, value: unknown): void {
    const text = JSON.stringify(value);
    if (text !== undefined) this.raw(key, text);
  }

  raw(key: string, text: string): void {
    this.#text += `${this.#text === '' ? '' : ','}"${key}":${text}`;
  }

  toString(): string {
    return `{${this.#text}}`;
  }
}
