import { expect } from 'vitest';
import type { ModelMessage } from '../../../src/agent/translate/model-message.ts';

/** What models' interfaces insist on: each call of ours is answered once, before anything else is said. */
export function checkPrompt(prompt: readonly ModelMessage[]): void {
  let open: string[] = [];
  const searches: string[] = [];
  for (const message of prompt) {
    expect(message.content.length).toBeGreaterThan(0);
    if (message.role !== 'tool') expect(open).toEqual([]);
    if (typeof message.content === 'string') continue;
    for (const part of message.content) {
      if (part.type === 'text') expect(part.text !== '' || part.providerOptions !== undefined).toBe(true);
      if (part.type === 'tool-call') (part.providerExecuted === true ? searches : open).push(part.toolCallId);
      if (part.type !== 'tool-result') continue;
      const calls = [open, searches].find((ids) => ids.includes(part.toolCallId));
      expect(calls).toBeDefined();
      calls?.splice(calls.indexOf(part.toolCallId), 1);
    }
    if (message.role === 'assistant') open = [...open];
  }
  expect(open).toEqual([]);
}
