import { createHash } from 'node:crypto';
import type { Message } from '../../src/model/message.ts';

/** What a writer says, a line each. They are so short that none is cut in two when the writer is killed. */
export type Said =
  /** From here on until it says more, nothing is known of the agent. */
  | { done: 'unsure'; id: string }
  /** The agent's conversation begins with these messages. */
  | { done: 'holds'; id: string; count: number; digest: string }
  | { done: 'deleted'; id: string }
  /** The agent's timeline has so many events, or more. */
  | { done: 'events'; id: string; count: number }
  /** The document has this content, or a later one. */
  | { done: 'document'; id: string; content: number }
  /** The store refused a call: its server was killed. */
  | { done: 'failed'; id: string; error: string };

export function digestOf(messages: readonly Message[]): string {
  return createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 16);
}
