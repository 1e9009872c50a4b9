import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExtendedStore } from '../../src/index.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { outputOf } from './run.ts';

let directory: string;
beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});
afterEach(() => removeDirectory(directory));

test('own-loop.ts: the second round goes on from what the first one stored', async () => {
  const dbPath = join(directory, 'example.db');
  const lines = (await outputOf('examples/own-loop.ts', [dbPath], directory)).split('\n');
  expect(lines.slice(1, 7)).toEqual([
    '> How many lamps are there?',
    'There are 35; that was question 1.',
    '> And how many chairs?',
    'There are 42; that was question 2.',
    'stock {"article":"lamps"}: completed, {"article":"lamps","pieces":35}',
    'stock {"article":"chairs"}: completed, {"article":"chairs","pieces":42}',
  ]);
  await using store = await createExtendedStore({ type: 'sqlite', dbPath });
  const [agent] = await store.querySessions();
  expect(agent).toMatchObject({ templateId: 'own-loop', status: 'idle', messageCount: 8 });
  const messages = await store.loadMessages(agent?.agentId ?? '');
  expect(messages.map(({ role }) => role)).toEqual([
    ...['user', 'assistant', 'user', 'assistant'],
    ...['user', 'assistant', 'user', 'assistant'],
  ]);
  expect(messages[6]?.content).toEqual([
    { type: 'tool_result', tool_use_id: 'call_2', content: { article: 'chairs', pieces: 42 } },
  ]);
  expect(await store.checkConsistency()).toMatchObject({ consistent: true });
  const { tokensByModel } = await store.aggregateStats();
  expect(Object.values(tokensByModel)).toMatchObject([{ calls: 4, inputTokens: expect.any(Number) }]);
});
