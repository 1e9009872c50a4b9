import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { StoredEvent } from '../../../src/model/agent.ts';
import type { ToolCallState } from '../../../src/model/tool-call.ts';
import type { ExtendedStore } from '../../../src/store/store.ts';
import type { RecordedRequest } from '../provider/provider.ts';
import { FINAL, INPUT, TOOLS } from './life.ts';
import { expectValidPrompts } from './prompts.ts';

/** What is to be seen of an agent whose life is complete. */
export interface Complete {
  store: ExtendedStore;
  agentId: string;
  directory: string;
  requests: readonly RecordedRequest[];
  /** How the calls stood when the last process died, by their ordinals. */
  found: ToolCallState[];
}

export async function statesOf(store: ExtendedStore, agentId: string): Promise<ToolCallState[]> {
  if (!(await store.exists(agentId))) return [];
  return (await store.loadToolCallRecords(agentId)).map(({ state }) => state);
}

export async function expectComplete(complete: Complete): Promise<void> {
  const { store, agentId, requests } = complete;
  const { info, messages } = await store.loadAgent(agentId);
  expect(info.status).toBe('idle');
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(messages[0]?.content).toEqual([{ type: 'text', text: INPUT }]);
  expect(messages[3]?.content).toEqual([{ type: 'text', text: FINAL }]);
  await expectCalls(complete);
  expectValidPrompts(requests, INPUT);
  await expectTimeline(complete);
  const stats = await store.aggregateStats(agentId);
  expect(Object.values(stats.tokensByModel)).toMatchObject([{ calls: 2, inputTokens: 20, outputTokens: 10 }]);
  expect(await store.loadDelta(agentId)).toEqual([]);
  expect((await store.checkConsistency(agentId)).issues).toEqual([]);
  // Nobody holds it any more.
  await (await store.acquireAgentLock(agentId)).release();
}

/** The calls as they are stored, what the model was told of them, and what they did. */
async function expectCalls({ store, agentId, directory, found }: Complete): Promise<void> {
  const records = await store.loadToolCallRecords(agentId);
  expect(records.map(({ callSeq, toolName }) => [callSeq, toolName])).toEqual([...TOOLS.entries()]);
  const states = TOOLS.map((tool, i) => {
    const cutOff = found[i] === 'executing' && tool !== 'put_line';
    return cutOff || found[i] === 'sealed' ? 'sealed' : 'completed';
  });
  expect(records.map(({ state }) => state)).toEqual(states);
  expect(records.map(({ auditTrail }) => auditTrail.map(({ state }) => state))).toEqual([
    ['pending', 'executing', states[0]],
    ['pending', 'executing', states[1]],
    ['pending', 'approval_required', 'approved', 'executing', states[2]],
  ]);
  expect(records.map(({ approval }) => approval)).toMatchObject([
    { required: false },
    { required: false },
    { required: true, decision: 'allow', decidedBy: 'ana' },
  ]);
  const results = (await store.loadMessages(agentId))[2]?.content ?? [];
  expect(results).toHaveLength(TOOLS.length);
  for (const [i, { toolCallId, toolName, state, output, error }] of records.entries()) {
    const sealed = state === 'sealed';
    expect(results[i]).toEqual({
      type: 'tool_result',
      tool_use_id: toolCallId,
      content: sealed ? error : output,
      ...(sealed && { is_error: true }),
    });
    const effects = await effectsOf(directory, toolName);
    if (sealed) {
      expect(error).toMatch(/It isn't known whether the call took effect/);
      expect(effects.length).toBeLessThanOrEqual(1);
    } else {
      expect(output).toBe(`${toolName} 1 is written`);
      expect(effects).toHaveLength(1);
    }
    expect(effects.every((line) => line === `${toolName} 1`)).toBe(true);
  }
}

/** The lines that a tool has written, one for each time: but `put_line`, which has one for each key. */
async function effectsOf(directory: string, tool: string): Promise<string[]> {
  if (tool !== 'put_line') {
    const text = await readFile(join(directory, tool), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }
  const keys = await readdir(join(directory, tool));
  return Promise.all(keys.map((key) => readFile(join(directory, tool, key), 'utf8')));
}

/** Everything that happened stands on the timeline once, without a gap. */
async function expectTimeline({ store, agentId }: Complete): Promise<void> {
  const stored: StoredEvent[] = [];
  for await (const event of store.readEvents(agentId)) stored.push(event);
  expect(stored.map(({ cursor }) => cursor)).toEqual(stored.map((_, i) => i + 1));
  const values = (type: string, key: string) =>
    stored.filter(({ event }) => event.type === type).map(({ event }) => event[key]);
  // An input that has a name is told of by the turn's start alone.
  expect(values('message', 'messageSeq').filter((seq) => seq !== 0)).toEqual([1, 2, 3]);
  expect(values('tool-call', 'callSeq')).toEqual([0, 1, 2]);
  expect(values('tool-approval-request', 'callSeq')).toEqual([2]);
  expect(values('finish-step', 'finishReason')).toHaveLength(2);
  expect(values('finish', 'status').at(-1)).toBe('completed');
  const records = await store.loadToolCallRecords(agentId);
  const completed = records.filter(({ state }) => state === 'completed').map(({ callSeq }) => callSeq);
  expect(values('tool-result', 'callSeq').sort()).toEqual(completed);
  const sealed = records.filter(({ state }) => state === 'sealed').map(({ callSeq }) => callSeq);
  expect(values('recovered', 'sealed').flat().sort()).toEqual(sealed);
}
