import { createHash } from 'node:crypto';
import { ValidationError } from '../errors.ts';
import { validateAgentId } from '../model/ids.ts';
import type { Conversation } from './conversation-file.ts';

// Together with a digest and the counter of repetitions they stay within an id's 255 bytes.
const MAX_PREFIX_BYTES = 60;
const MAX_ID_BYTES = 160;
const MAX_PART_BYTES = 50;

/**
 * Gives each conversation of a file its agent's id: the same one at every import, so that a repeated or
 * interrupted import finds what it stored. An `id` in the file is the id; `task_id` and `trial` make it
 * legible, with a digest of the messages behind them, as other files count their tasks from 0, too.
 */
export function agentIdSource(prefix: string): (conversation: Conversation) => string {
  validatePrefix(prefix);
  const seen = new Map<string, number>();
  return (conversation) => {
    const name = prefix + nameOf(conversation);
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name}~${times}`;
  };
}

export function validatePrefix(prefix: string): void {
  if (Buffer.byteLength(prefix) > MAX_PREFIX_BYTES) {
    throw new ValidationError('prefix', `must be at most ${MAX_PREFIX_BYTES} bytes long`);
  }
  validateAgentId(`${prefix}x`);
}

function nameOf({ attributes, messages }: Conversation): string {
  const { id, task_id: task, trial } = attributes;
  if (isName(id)) return safeName(String(id));
  const parts: string[] = [];
  if (isName(task)) parts.push(`task-${legible(String(task), MAX_PART_BYTES)}`);
  if (isName(trial)) parts.push(`trial-${legible(String(trial), MAX_PART_BYTES)}`);
  if (parts.length === 0) parts.push('chat');
  return [...parts, digest(JSON.stringify(messages))].join('-');
}

function isName(value: unknown): value is string | number {
  return typeof value === 'number' || (typeof value === 'string' && value !== '');
}

/** The id itself where it can be an agent's id, else a legible form of it that no other id has. */
function safeName(id: string): string {
  const text = legible(id, MAX_ID_BYTES);
  return text === id && !/^\.+$/.test(id) ? id : `${text}-${digest(id)}`;
}

/** `~` is kept for the counter of repetitions. */
function legible(text: string, maxBytes: number): string {
  let kept = '';
  for (const character of text.replace(/[^\p{L}\p{N}._:@+=-]/gu, '_')) {
    if (Buffer.byteLength(kept + character) > maxBytes) break;
    kept += character;
  }
  return kept;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
