import { expect } from 'vitest';
import type { TurnCommit } from '../../src/index.ts';
import {
  asks,
  create,
  latch,
  onEachStore,
  recording,
  results,
  says,
  states,
  test,
  tool,
  withCommit,
} from './harness.ts';

const BEFORE = 'The turn was interrupted before this call began.';

/** What each commit says of calls, and whether it has messages. */
function shapes(commits: TurnCommit[]) {
  return commits.map(({ messages = [], toolCalls = [] }) => [
    messages.map(({ role }) => role).join(),
    ...toolCalls.map(({ toolCallId, state }) => `${toolCallId} ${state}`),
  ]);
}

test('calls for which there is no room yet begin with commits of their own', async ({ store, provider }) => {
  const model = await provider([asks(['act', 'c1'], ['act', 'c2'], ['act', 'c3']), says('Done.')]);
  const watched = recording(store);
  const agent = await create(watched.store, model, { tools: [tool('act')], toolConcurrency: 1 });
  await agent.send('Go.');
  expect(shapes(watched.commits.slice(2))).toEqual([
    ['assistant', 'c1 executing'],
    ['', 'c1 completed'],
    ['', 'c2 executing'],
    ['', 'c2 completed'],
    ['', 'c3 executing'],
    ['user', 'c3 completed'],
    ['assistant'],
  ]);
});

test('calls of which nobody knows the tool, and those that wait, do not begin with the answer', async ({
  store,
  provider,
}) => {
  const model = await provider([asks(['gone', 'c1'], ['ask', 'c2'], ['act', 'c3']), says('Done.')]);
  const watched = recording(store);
  const ask = tool('ask', () => 'asked', { needsApproval: true });
  const agent = await create(watched.store, model, { tools: [ask, tool('act')] });
  await agent.run('Go.');
  expect(shapes(watched.commits.slice(2))).toEqual([
    ['assistant', 'c1 failed', 'c2 approval_required', 'c3 executing'],
    ['', 'c3 completed'],
    [''],
  ]);
  await agent.approve('c2');
  watched.commits.length = 0;
  await agent.run();
  expect(shapes(watched.commits)).toEqual([
    [''],
    ['', 'c2 executing'],
    ['user', 'c2 completed'],
    ['assistant'],
  ]);
});

onEachStore(({ test }) => {
  test('an outcome is safe before its tool looks for words about it', async ({ store, provider }) => {
    const model = await provider([asks(['draw', 'c1']), says('Done.')]);
    const [asked, told] = [latch(), latch()];
    const draw = tool('draw', () => 'plot.png', {
      toModelOutput: async () => {
        asked.happen();
        await told.happened;
        return { type: 'text', value: 'A plot.' };
      },
    });
    const agent = await create(store, model, { tools: [draw] });
    const sent = agent.send('Go.');
    await asked.happened;
    expect(await states(store)).toEqual([['c1', 'completed']]);
    told.happen();
    await sent;
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'A plot.']));
  });

  test('a turn that is stopped while its answer is stored runs none of the calls', async ({
    store,
    provider,
  }) => {
    const model = await provider([asks(['act', 'c1'], ['act', 'c2']), says('I see.')]);
    let stopping: Promise<void> | undefined;
    const slow = withCommit(store, async (commit, agentId, change) => {
      const result = await commit(agentId, change);
      if (change.toolCalls?.some(({ state }) => state === 'executing')) stopping = agent.interrupt();
      return result;
    });
    const runs: unknown[] = [];
    const agent = await create(slow, model, { tools: [tool('act', (input) => runs.push(input))] });
    expect((await agent.run('Go.')).status).toBe('interrupted');
    await stopping;
    expect(runs).toEqual([]);
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', BEFORE, true], ['c2', BEFORE, true]));
  });
});
