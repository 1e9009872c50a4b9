import { readFile } from 'node:fs/promises';
import { errorCode, messageOf } from '../model/foreign.ts';
import { InputError } from './errors.ts';
import { isRecord } from './openai-schema.ts';

/** One record of the file; what is wrong with it as a whole stands in `fault`. */
export interface Conversation {
  /** 0-based position in the file. */
  position: number;
  messages: readonly unknown[];
  /** What the record holds beside its messages. */
  attributes: Record<string, unknown>;
  fault?: string;
}

/**
 * Reads a file of conversations: a JSON array of them or JSONL, one on each line. A conversation is an
 * array of messages, or an object that has it as `messages` or `traj`.
 */
export async function readConversations(path: string): Promise<Conversation[]> {
  return parseConversations(await readText(path));
}

export function parseConversations(text: string): Conversation[] {
  return parseFile(text).map(({ value, fault }, position) => {
    const conversation = { position, ...split(value) };
    return fault === undefined ? conversation : { ...conversation, fault };
  });
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new InputError(`cannot read ${path}: ${reason(cause)}`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InputError(`${path} is not UTF-8 text. Save it in that encoding and try again.`, { cause });
  }
}

function reason(error: unknown): string {
  const code = errorCode(error);
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a directory';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return messageOf(error);
}

interface Entry {
  value: unknown;
  fault?: string;
}

function parseFile(text: string): Entry[] {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (cause) {
    const lines = parseLines(text);
    if (lines) return lines;
    throw new InputError(
      `the file is neither JSON nor one JSON value on each line: ${(cause as Error).message}`,
      { cause },
    );
  }
  // One line of JSONL is a whole JSON text, too: the conversation itself instead of an array of them.
  if (!Array.isArray(whole) || isMessage(whole[0])) return [{ value: whole }];
  return whole.map((value: unknown) => ({ value }));
}

/** Undefined for a text that is no JSONL: of its first two lines none can be parsed. */
function parseLines(text: string): Entry[] | undefined {
  const entries: Entry[] = [];
  let number = 0;
  for (const line of linesOf(text)) {
    number += 1;
    if (line.trim() === '') continue;
    try {
      entries.push({ value: JSON.parse(line) });
    } catch (error) {
      entries.push({ value: undefined, fault: `line ${number} is no JSON: ${(error as Error).message}` });
    }
    if (entries.length === 2 && entries.every((entry) => entry.fault)) return undefined;
  }
  return entries.length > 1 ? entries : undefined;
}

function* linesOf(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    yield text.slice(start, end);
    start = end + 1;
  }
}

function split(value: unknown): Omit<Conversation, 'position'> {
  if (Array.isArray(value)) return { messages: value, attributes: {} };
  if (!isRecord(value)) {
    return { messages: [], attributes: {}, fault: 'expected an array of messages or an object with them' };
  }
  const key = Array.isArray(value.messages) ? 'messages' : 'traj';
  const { [key]: messages, ...attributes } = value;
  if (Array.isArray(messages)) return { messages, attributes };
  return { messages: [], attributes, fault: 'expected an array under "messages" or "traj"' };
}

function isMessage(value: unknown): boolean {
  return isRecord(value) && typeof value.role === 'string' && !('messages' in value) && !('traj' in value);
}
