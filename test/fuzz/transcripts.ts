import { readFileSync } from 'node:fs';
import { fromModelMessages } from '../../src/index.ts';
import type { Message } from '../../src/model/message.ts';
import { type ChatMessage, transcriptFiles } from '../cli/transcripts.ts';

/** Recorded conversations, as many as are at hand: of a large file, some. */
const MOST = 40;

export function transcripts(): Message[][] {
  return transcriptFiles.flatMap(({ path }) => {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const all = Array.isArray(parsed) && isChat(parsed[0]) ? [parsed] : listed(parsed);
    return all.slice(0, MOST).map((chat) => toMessages(chat as ChatMessage[]));
  });
}

function isChat(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'role' in value;
}

function listed(parsed: unknown): unknown[] {
  const lists: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  return lists.flatMap((one) => {
    if (Array.isArray(one)) return [one];
    const { messages, traj } = (one ?? {}) as { messages?: unknown; traj?: unknown };
    const found = messages ?? traj;
    return Array.isArray(found) ? [found] : [];
  });
}

/** Of OpenAI's chat format, roughly: what matters here is that people and models wrote it. */
function toMessages(chat: ChatMessage[]): Message[] {
  return fromModelMessages(
    chat.map(({ role, content, tool_calls = [], tool_call_id: toolCallId = '' }) => {
      if (role === 'tool') {
        const output = { type: 'text', value: content ?? '' };
        return { role, content: [{ type: 'tool-result', toolCallId, toolName: 'unknown', output }] };
      }
      const calls = tool_calls.map(({ id, function: { name, arguments: input } }) => ({
        ...{ type: 'tool-call', toolCallId: id, toolName: name, input },
      }));
      return { role, content: [{ type: 'text', text: content ?? '' }, ...calls] };
    }) as Parameters<typeof fromModelMessages>[0],
  );
}
