import { generateText } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toModelMessages } from '../../../src/agent/translate/to-model-messages.ts';
import type { Message } from '../../../src/model/message.ts';
import { anyConversation } from './arbitraries.ts';

/** A model that is silent, and reads every URL itself. */
const model = new MockLanguageModelV3({
  supportedUrls: { '*/*': [/.*/] },
  doGenerate: {
    content: [{ type: 'text', text: 'ok' }],
    finishReason: { unified: 'stop', raw: 'stop' },
    usage: {
      inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 1, text: 1, reasoning: 0 },
    },
    warnings: [],
  },
});

/** The SDK would fetch what a URL without a media type refers to, whatever the model says that it reads. */
async function passUrlsOn(downloads: readonly unknown[]): Promise<null[]> {
  return downloads.map(() => null);
}

it('makes prompts of any conversation that the model SDK sends', async () => {
  await fc.assert(
    fc.asyncProperty(anyConversation.filter(isOfToday), async (messages) => {
      const prompt = toModelMessages(messages);
      if (prompt.length === 0) return;
      const { text } = await generateText({
        model,
        messages: prompt,
        allowSystemInMessages: true,
        experimental_download: passUrlsOn,
      });
      expect(text).toBe('ok');
    }),
    { numRuns: 300 },
  );
});

/** Outputs of a later version of the SDK are given back as they were, and refused by this one. */
function isOfToday(messages: Message[]): boolean {
  return !JSON.stringify(messages).includes('"type":"output"');
}
