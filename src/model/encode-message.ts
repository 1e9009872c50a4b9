import { ValidationError } from '../errors.ts';
import { describe, validateCallName } from './ids.ts';
import { asJson, checkJson, checkTotalLength, isJson, writeJson } from './json.ts';
import { knownKeys, unknownKey } from './known-keys.ts';
import type { Message, MessageRecord, Role } from './message.ts';

/** A tool_use block as the commit planner needs it. */
export interface OpenedCall {
  id: string;
  name: string;
  /** Exact JSON text. */
  input: string;
}

/** A message, checked and ready to be stored: its exact text, and what is indexed beside it. */
export interface EncodedMessage {
  role: Role;
  payload: string;
  kinds: { text: boolean; tool_use: boolean; tool_result: boolean; other: boolean };
  opens: OpenedCall[];
  /** `tool_use_id` of each tool_result block. */
  answers: string[];
  /** An answer that was cut off. */
  partial: boolean;
}

const MESSAGE_KEYS = knownKeys<Message & MessageRecord>('is no field of a message', {
  role: true,
  content: true,
  metadata: true,
  providerOptions: true,
  agentId: true,
  seq: true,
  createdAt: true,
});

/** What the store gives a message's record, and isn't stored with it. */
const OF_RECORD = new Set<string>(['agentId', 'seq', 'createdAt']);

export function encodeMessages(messages: unknown, field: string): EncodedMessage[] {
  if (!Array.isArray(messages))
    throw new ValidationError(field, `must be an array, not ${describe(messages)}`);
  const encoded: EncodedMessage[] = [];
  // `map` would leave holes where they are.
  for (let i = 0, length = 0; i < messages.length; i += 1) {
    const message = encodeAt(messages[i], field, i);
    encoded.push(message);
    // Before more of them is made than an engine of JavaScript can put together.
    length += message.payload.length;
    checkTotalLength(field, length);
  }
  return encoded;
}

export function encodeMessage(message: unknown, field: string): EncodedMessage {
  return encodeAt(message, field, undefined);
}

/** There are many, so that their names are made only where something is wrong. */
function encodeAt(given: unknown, field: string, i: number | undefined): EncodedMessage {
  const message = fieldsOf(given);
  if (!message)
    throw new ValidationError(nameOf(field, i), `must be a message object, not ${describe(given)}`);
  // Of its own keys alone, because JSON leaves out what an object inherits. Depth counts from each value that
  // the caller chose, not from the envelope around it.
  let role: unknown;
  let content: unknown;
  let isRecord = false;
  for (const key of Object.keys(message)) {
    const value = message[key];
    if (key === 'content') content = value;
    else if (key === 'role') role = value;
    else if (!MESSAGE_KEYS.names.has(key)) throw unknownKey(nameOf(field, i), key, MESSAGE_KEYS);
    else if (OF_RECORD.has(key)) isRecord = true;
    else if (!isJson(value)) checkJson(value, `${nameOf(field, i)}.${key}`);
  }
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new ValidationError(`${nameOf(field, i)}.role`, 'must be "user", "assistant" or "system"');
  }
  if (!Array.isArray(content) || asJson(content) !== content) {
    throw new ValidationError(
      `${nameOf(field, i)}.content`,
      `must be an array of content blocks, not ${describe(content)}`,
    );
  }
  const encoded: EncodedMessage = {
    role,
    payload: '',
    kinds: { text: false, tool_use: false, tool_result: false, other: false },
    opens: [],
    answers: [],
    partial: fieldsOf(message.metadata)?.partial === true,
  };
  for (let n = 0; n < content.length; n += 1) encodeBlock(content[n], { field, i, n }, encoded);
  encoded.payload = writeJson(isRecord ? withoutRecord(message) : message, nameOf(field, i)) ?? 'null';
  return encoded;
}

interface Place {
  field: string;
  i: number | undefined;
  n: number;
}

function at({ field, i, n }: Place): string {
  return `${nameOf(field, i)}.content[${n}]`;
}

function nameOf(field: string, i: number | undefined): string {
  return i === undefined ? field : `${field}[${i}]`;
}

function encodeBlock(given: unknown, place: Place, encoded: EncodedMessage): void {
  const block = fieldsOf(given);
  if (!block) throw new ValidationError(at(place), `must be a content block, not ${describe(given)}`);
  let type: unknown;
  let id: unknown;
  let name: unknown;
  let input: unknown;
  let toolUseId: unknown;
  for (const key of Object.keys(block)) {
    const value = block[key];
    if (key === 'type') type = value;
    else if (key === 'id') id = value;
    else if (key === 'name') name = value;
    else if (key === 'input') input = value;
    else if (key === 'tool_use_id') toolUseId = value;
    if (!isJson(value)) checkJson(value, `${at(place)}.${key}`);
  }
  if (typeof type !== 'string' || type === '') {
    throw new ValidationError(`${at(place)}.type`, 'must be a non-empty string');
  }
  if (type === 'tool_use') {
    validateCallName(`${at(place)}.id`, id);
    validateCallName(`${at(place)}.name`, name);
    encoded.kinds.tool_use = true;
    encoded.opens.push({ id, name, input: writeJson(input, `${at(place)}.input`) ?? '{}' });
  } else if (type === 'tool_result') {
    validateCallName(`${at(place)}.tool_use_id`, toolUseId);
    encoded.kinds.tool_result = true;
    encoded.answers.push(toolUseId);
  } else if (type === 'text') {
    encoded.kinds.text = true;
  } else {
    encoded.kinds.other = true;
  }
}

type Fields = Record<string, unknown>;

/** What JSON will write of the object; undefined for what is none. */
function fieldsOf(given: unknown): Fields | undefined {
  const json = typeof given === 'object' && given !== null ? asJson(given) : given;
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Fields) : undefined;
}

function withoutRecord(message: Fields): Fields {
  return Object.fromEntries(Object.entries(message).filter(([key]) => !OF_RECORD.has(key)));
}
