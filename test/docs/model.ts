import type { LanguageModelV3, LanguageModelV3StreamPart } from '@ai-sdk/provider';
import { MockLanguageModelV3, simulateReadableStream } from 'ai/test';

const USAGE = {
  inputTokens: { total: 12, noCache: 12, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
};

/**
 * A model for samples: it asks for a tool once if it may and is asked for one by its name, gives an object
 * where one is asked for, and says something otherwise.
 */
export function sampleModel(): LanguageModelV3 {
  return new MockLanguageModelV3({
    doStream: async ({ prompt, tools = [], responseFormat }) => {
      const last = prompt.at(-1);
      const asked = last?.role === 'user' ? JSON.stringify(last.content) : '';
      const tool = tools.find(({ name }) => asked.includes(name.split('_').at(-1) ?? name));
      const input = { card: 'L-2041', order: 1042, amount: 30 };
      const parts: LanguageModelV3StreamPart[] = tool
        ? [{ type: 'tool-call', toolCallId: 'call_1', toolName: tool.name, input: JSON.stringify(input) }]
        : answer(responseFormat?.type === 'json' ? '{"title":"The Salt Road","year":1987}' : 'Very well.');
      return {
        stream: simulateReadableStream<LanguageModelV3StreamPart>({
          chunks: [
            { type: 'stream-start', warnings: [] },
            ...parts,
            {
              type: 'finish',
              usage: USAGE,
              finishReason: tool
                ? { unified: 'tool-calls', raw: 'tool_use' }
                : { unified: 'stop', raw: 'stop' },
            },
          ],
        }),
      };
    },
  });
}

function answer(text: string): LanguageModelV3StreamPart[] {
  const id = '1';
  return [
    { type: 'text-start', id },
    { type: 'text-delta', id, delta: text },
    { type: 'text-end', id },
  ];
}
