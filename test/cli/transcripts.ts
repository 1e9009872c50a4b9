import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Message } from '../../src/model/message.ts';

/** The chat format as far as these tests look at it, read without the code that is tested. */
export interface ChatMessage {
  role: string;
  content?: string | null;
  tool_call_id?: string;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
}

/** A call in the file, with the result that stands for it there. */
export interface ChatCall {
  id: string;
  name: string;
  arguments: string;
  result: string;
}

export interface Counts {
  messages: number;
  toolCalls: number;
  /** Calls whose id was there before in their own conversation. */
  repeats: number;
  /** Messages as they are stored, where the results of one step are one. */
  stored: number;
}

export const ownPath = fileURLToPath(new URL('../../examples/data/transcript.json', import.meta.url));
const recordedPath = fileURLToPath(new URL('../../../shared/data/airline-transcripts.json', import.meta.url));

/** The project's own transcript, and two hundred recorded conversations where they are at hand. */
export const transcriptFiles: readonly { name: string; path: string; counts: Counts }[] = [
  {
    name: 'the own transcript',
    path: ownPath,
    counts: { messages: 25, toolCalls: 7, repeats: 1, stored: 24 },
  },
  {
    name: 'the recorded conversations',
    path: recordedPath,
    counts: { messages: 5308, toolCalls: 1164, repeats: 73, stored: 5308 },
  },
].filter(({ path }) => existsSync(path));

export async function readTranscripts(path: string): Promise<ChatMessage[][]> {
  const file: (ChatMessage[] | { messages?: ChatMessage[]; traj?: ChatMessage[] })[] = JSON.parse(
    await readFile(path, 'utf8'),
  );
  return file.map((entry) => (Array.isArray(entry) ? entry : (entry.messages ?? entry.traj ?? [])));
}

export function countOf(conversations: ChatMessage[][]): Counts {
  const messages = conversations.reduce((sum, conversation) => sum + conversation.length, 0);
  const ids = conversations.map((conversation) => callsOf(conversation).map((call) => call.id));
  return {
    messages,
    toolCalls: ids.flat().length,
    repeats: ids.reduce((sum, each) => sum + each.length - new Set(each).size, 0),
    stored: messages - conversations.reduce((sum, conversation) => sum + furtherResults(conversation), 0),
  };
}

/** Results behind the first one of their step. */
function furtherResults(conversation: ChatMessage[]): number {
  return conversation.filter(({ role }, index) => role === 'tool' && conversation[index - 1]?.role === 'tool')
    .length;
}

/** The calls in order. A result stands right behind the calls of its step, in whatever order. */
export function callsOf(conversation: ChatMessage[]): ChatCall[] {
  return conversation.flatMap(({ tool_calls: calls = [] }, index) => {
    const results = conversation.slice(index + 1, index + 1 + calls.length);
    return calls.map(({ id, function: { name, arguments: text } }) => ({
      id,
      name,
      arguments: text,
      result: results.find((result) => result.tool_call_id === id)?.content ?? 'no result',
    }));
  });
}

/** The part of a message that the other direction has to give back. */
export function original({ role, content, tool_calls: calls, tool_call_id: id }: ChatMessage): unknown {
  return {
    role,
    content,
    id,
    calls: calls?.map((each) => [each.id, each.function.name, each.function.arguments]),
  };
}

/** The other direction: a stored message as those of the file that it was made from. */
export function originals({ role, content }: Message): unknown[] {
  const blocks: Record<string, unknown>[] = content.map((block) => ({ ...block }));
  const results = blocks.filter((block) => block.type === 'tool_result');
  if (results.length > 0) {
    return results.map((block) => ({ role: 'tool', content: block.content, id: block.tool_use_id }));
  }
  const uses = blocks.filter((block) => block.type === 'tool_use');
  const calls = uses.map((use) => [use.id, use.name, use.arguments_text ?? JSON.stringify(use.input)]);
  const text = blocks.find((block) => block.type === 'text')?.text ?? null;
  return [{ role, content: text, ...(calls.length > 0 ? { calls } : {}) }];
}
