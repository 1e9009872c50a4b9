import type { Message } from '../model/message.ts';
import { isInput, type Journal, textOf } from './journal.ts';

/**
 * What became of an input that was sent before: its answer, or undefined when there is none yet and the turn
 * is to go on. `end` is how many messages there were when the input had been stored.
 */
export async function repeatedTurn(journal: Journal, end: number): Promise<string | undefined> {
  await journal.load();
  const since = await messagesSince(journal, end);
  const next = since.findIndex(isInput);
  const own = next === -1 ? since : since.slice(0, next);
  const over = next !== -1 || journal.status === 'idle';
  return over ? textOf(own.findLast((message) => message.role === 'assistant')?.content) : undefined;
}

/** What was compacted away is loaded only for a repetition of an input from before. */
async function messagesSince(journal: Journal, end: number): Promise<Message[]> {
  const { context, summaryLength, compactedSeq, store, agentId } = journal;
  if (end >= compactedSeq) return context.slice(summaryLength + end - compactedSeq);
  return (await store.loadMessages(agentId)).slice(end);
}
