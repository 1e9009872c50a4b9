import { expect } from 'vitest';
import { answersIn, type RecordedRequest } from '../provider/provider.ts';

interface Entry {
  role: string;
  content: string | Block[];
}

interface Block {
  type: string;
  id?: string;
  tool_use_id?: string;
  text?: string;
}

/**
 * What the Anthropic API demands of a prompt: roles alternate, and the message after one with calls begins
 * with exactly one result for each of them. And what we demand: the input is there once, and the same
 * conversation is always told in the same bytes.
 */
export function expectValidPrompts(requests: readonly RecordedRequest[], input: string): void {
  const told = new Map<number, string>();
  for (const request of requests) {
    const entries = request.json.messages as Entry[];
    expect(entries.map(({ role }) => role)).toEqual(
      entries.map((_, i) => (i % 2 === 0 ? 'user' : 'assistant')),
    );
    expect(entries.at(-1)?.role).toBe('user');
    entries.forEach((entry, i) => {
      const asked = i === 0 ? [] : idsOf(entries[i - 1], 'tool_use');
      expect(idsOf(entry, 'tool_result')).toEqual(asked);
      const first = blocksOf(entry).slice(0, asked.length);
      expect(first.every(({ type }) => type === 'tool_result')).toBe(true);
      expect(new Set(asked).size).toBe(asked.length);
    });
    expect(textsOf(entries).filter((text) => text === input)).toHaveLength(1);
    const answers = answersIn(request);
    expect(request.body).toBe(told.get(answers) ?? request.body);
    told.set(answers, request.body);
  }
}

function blocksOf({ content }: Entry): Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

function textsOf(entries: Entry[]): (string | undefined)[] {
  return entries.flatMap((entry) => blocksOf(entry).map(({ text }) => text));
}

function idsOf(entry: Entry | undefined, type: string): (string | undefined)[] {
  const blocks = entry === undefined ? [] : blocksOf(entry);
  return blocks.filter((block) => block.type === type).map(({ id, tool_use_id }) => id ?? tool_use_id);
}
