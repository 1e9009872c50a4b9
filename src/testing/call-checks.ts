import type { ToolCallRecord } from '../model/tool-call.ts';
import type { Store } from '../store/store.ts';
import type { SpecContext } from './harness.ts';

/** Ends a call of the agent with this output. */
export async function completes(
  store: Store,
  agentId: string,
  record: { toolCallId: string; callSeq?: number; output: unknown },
): Promise<void> {
  await store.saveToolCallRecords(agentId, [{ ...record, state: 'completed' }]);
}

/** Each call of the agent in a few words: its ordinal, id, state, and its output if it has one. */
export async function callLines(store: Store, agentId: string): Promise<string[]> {
  const line = ({ callSeq, toolCallId, state, output }: ToolCallRecord) =>
    [callSeq, toolCallId, state, output].filter((word) => word !== undefined).join(' ');
  return (await store.loadToolCallRecords(agentId)).map(line);
}

/** Agent `a`'s calls, read through a store opened anew. */
export async function callsOfA(context: SpecContext): Promise<ToolCallRecord[]> {
  return (await context.reopen()).loadToolCallRecords('a');
}

export async function outputsOfA(context: SpecContext): Promise<unknown[]> {
  return (await callsOfA(context)).map(({ output }) => output);
}

/** Id, `callSeq` and `messageSeq` of each of agent `a`'s calls. */
export async function placesOfA(context: SpecContext): Promise<[string, number, number | undefined][]> {
  return (await callsOfA(context)).map(({ toolCallId, callSeq, messageSeq }) => [
    toolCallId,
    callSeq,
    messageSeq,
  ]);
}
