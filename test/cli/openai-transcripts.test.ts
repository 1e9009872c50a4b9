import { describe, expect, it } from 'vitest';
import { type Conversion, convertConversation } from '../../src/cli/openai-chat.ts';
import { callsOf, countOf, original, originals, readTranscripts, transcriptFiles } from './transcripts.ts';

describe.each(transcriptFiles)('$name', ({ path, counts }) => {
  it('has what is counted below', async () => {
    expect(countOf(await readTranscripts(path))).toEqual(counts);
  });

  it('is converted without a problem, every message and call', async () => {
    const conversations = await readTranscripts(path);
    const converted = conversations.map(convertConversation);
    expect(converted.flatMap((each) => each.problems)).toEqual([]);
    expect(converted.reduce((sum, each) => sum + each.toolCalls, 0)).toBe(counts.toolCalls);
    expect(converted.flatMap((each) => each.steps).flatMap((step) => originals(step.message))).toHaveLength(
      counts.messages,
    );
  });

  it('gives back every text, and pairs every call with its own result', async () => {
    for (const conversation of await readTranscripts(path)) {
      const converted = convertConversation(conversation);
      expect(converted.steps.flatMap((step) => originals(step.message))).toEqual(conversation.map(original));
      expect(updatesOf(converted)).toEqual(
        callsOf(conversation).map(({ id, result: output }, callSeq) => {
          const isError = output.startsWith('Error');
          return { toolCallId: id, callSeq, state: isError ? 'failed' : 'completed', output, isError };
        }),
      );
    }
  });
});

function updatesOf({ steps }: Conversion): unknown[] {
  return steps.flatMap((step) => step.toolCalls);
}
