import type { RecordedRequest } from './answer.ts';

/**
 * How many answers of the model a request's prompt holds already. A script that goes by this instead of the
 * request's index gives the same answer to a request that is repeated, whichever process asks.
 */
export function answersIn({ kind, json }: RecordedRequest): number {
  const entries = kind === 'openai-responses' ? json.input : json.messages;
  let answers = 0;
  let inAnswer = false;
  for (const entry of Array.isArray(entries) ? entries : []) {
    const isAnswer = madeByModel(entry);
    if (isAnswer && !inAnswer) answers += 1;
    inAnswer = isAnswer;
  }
  return answers;
}

/** The Responses format has no messages around an answer's items: they lie side by side in the input. */
function madeByModel(entry: { role?: unknown; type?: unknown }): boolean {
  if (entry.role !== undefined) return entry.role === 'assistant';
  return typeof entry.type === 'string' && !entry.type.endsWith('_output');
}
