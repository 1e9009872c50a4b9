import { expect } from 'vitest';
import type { QueryableStore } from '../../src/store/store.ts';
import { callsOf, original, originals, readTranscripts } from './transcripts.ts';

/** Agent ids in the order of the file, from what the import noted in the agents' metadata. */
export async function importedAgents(store: QueryableStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { agentId, metadata } of store.iterateSessions()) {
    const { position } = metadata.import as { position: number };
    expect(ids[position]).toBeUndefined();
    ids[position] = agentId;
  }
  return ids;
}

/** Compares every message and every call of the store, in order, with the file. */
export async function expectStored(store: QueryableStore, path: string): Promise<void> {
  const conversations = await readTranscripts(path);
  const agentIds = await importedAgents(store);
  expect(agentIds).toHaveLength(conversations.length);
  for (const [index, conversation] of conversations.entries()) {
    const { messages, toolCalls } = await store.loadAgent(agentIds[index] ?? '');
    expect(messages.flatMap(originals)).toEqual(conversation.map(original));
    expect(
      toolCalls.map((call) => [
        call.callSeq,
        call.toolCallId,
        call.toolName,
        call.output,
        call.isError,
        call.state,
      ]),
    ).toEqual(
      callsOf(conversation).map(({ id, name, result }, callSeq) => {
        const isError = result.startsWith('Error');
        return [callSeq, id, name, result, isError, isError ? 'failed' : 'completed'];
      }),
    );
    for (const { input, messageSeq, callSeq } of toolCalls) {
      const uses = messages[messageSeq ?? -1]?.content.filter((block) => block.type === 'tool_use') ?? [];
      const first = toolCalls.findIndex((call) => call.messageSeq === messageSeq);
      const block = uses[callSeq - first];
      expect(JSON.stringify(input)).toBe(JSON.stringify(block && 'input' in block ? block.input : undefined));
    }
  }
}
