import { anthropic } from '@ai-sdk/anthropic';
import { openai } from '@ai-sdk/openai';
import { describe, expect } from 'vitest';
import { MaxStepsError, type ToolSet } from '../../src/index.ts';
import {
  asks,
  collect,
  create,
  failureOf,
  latch,
  modelAsks,
  modelSays,
  onEachStore,
  results,
  resume,
  says,
  states,
  test,
  tool,
  userSays,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';

onEachStore(({ test }) => {
  test('calls of one answer run side by side, no more than the template allows', async ({
    store,
    provider,
  }) => {
    const names = ['c1', 'c2', 'c3', 'c4', 'c5'];
    const model = await provider([asks(...names.map((id): [string, string] => ['act', id])), says('Done.')]);
    let running = 0;
    let most = 0;
    let begun = 0;
    const overlap = latch();
    const act = tool('act', async (_input, { toolCallId }) => {
      running += 1;
      begun += 1;
      most = Math.max(most, running);
      if (running === 3) overlap.happen();
      // Goes on only when three run at once. A fourth would be seen before any of them has ended.
      await overlap.happened;
      await new Promise(setImmediate);
      running -= 1;
      return toolCallId;
    });
    const agent = await create(store, model, { tools: [act], toolConcurrency: 3 });
    expect(await agent.send('Go.')).toBe('Done.');
    expect([begun, most]).toEqual([5, 3]);
    expect((await store.loadMessages('a'))[2]).toEqual(
      results(...names.map((id): [string, string] => [id, id])),
    );
  });

  test('results come in the order of the calls, whichever ends first', async ({ store, provider }) => {
    const model = await provider([asks(['first', 'c1'], ['fail', 'c2'], ['last', 'c3']), says('Done.')]);
    const ended = latch();
    const first = tool('first', async () => {
      await ended.happened;
      return 'late';
    });
    const fail = tool('fail', async () => {
      await ended.happened;
      throw new Error('No.');
    });
    const agent = await create(store, model, { tools: [first, fail, tool('last', () => 'early')] });
    const { parts } = await collect(agent.stream('Go.'), (part) => {
      if (part.type === 'tool-result' && part.toolCallId === 'c3') ended.happen();
    });
    expect(parts.find(({ type }) => type === 'tool-result')).toMatchObject({ toolCallId: 'c3' });
    expect((await store.loadMessages('a'))[2]).toEqual(
      results(['c1', 'late'], ['c2', 'No.', true], ['c3', 'early']),
    );
  });

  test('calls with the same id are told apart, in one answer and across turns', async ({
    store,
    provider,
    reopen,
  }) => {
    const model = await provider([
      asks(['act', 'c', { n: 1 }], ['act', 'c', { n: 2 }]),
      says('One.'),
      asks(['act', 'c', { n: 3 }]),
      says('Two.'),
    ]);
    const tools = [tool('act')];
    const agent = await create(store, model, { tools });
    expect(await agent.send('Go.')).toBe('One.');
    const again = await resume(await reopen(), model, { tools });
    expect(await again.send('Again.')).toBe('Two.');
    const reopened = await reopen();
    expect(await reopened.loadMessages('a')).toEqual([
      userSays('Go.'),
      modelAsks(['act', 'c', { n: 1 }], ['act', 'c', { n: 2 }]),
      results(['c', 1], ['c', 2]),
      modelSays('One.'),
      userSays('Again.'),
      modelAsks(['act', 'c', { n: 3 }]),
      results(['c', 3]),
      modelSays('Two.'),
    ]);
    const records = await reopened.loadToolCallRecords('a');
    expect(
      records.map(({ callSeq, messageSeq, state, output }) => [callSeq, messageSeq, state, output]),
    ).toEqual([
      [0, 1, 'completed', 1],
      [1, 1, 'completed', 2],
      [2, 5, 'completed', 3],
    ]);
  });

  test('a model that never stops calling tools is stopped, and may go on', async ({ store, provider }) => {
    const model = await provider((_request, index) => asks(['act', `c${index}`]));
    const agent = await create(store, model, { tools: [tool('act')], maxSteps: 3 });
    expect(await failureOf(agent.send('Go.'))).toBeInstanceOf(MaxStepsError);
    expect(model.requests).toHaveLength(3);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted', messageCount: 7 });
    // Nothing is left open: every call has its result.
    expect((await store.loadMessages('a')).at(-1)).toEqual(results(['c2', 'ok']));
    expect(await agent.run()).toMatchObject({ status: 'max_steps' });
    expect(model.requests).toHaveLength(6);
  });
});

test('a call that takes too long fails, and the model reads so', async ({ store, provider }) => {
  const model = await provider([asks(['slow', 'c1'], ['polite', 'c2']), says('Too slow.')]);
  const signals: AbortSignal[] = [];
  const slow = tool(
    'slow',
    (_input, { signal }) => {
      signals.push(signal);
      return new Promise(() => undefined);
    },
    { timeoutMs: 30 },
  );
  const polite = tool('polite', () => 'in time', { timeoutMs: 60_000 });
  const agent = await create(store, model, { tools: [slow, polite] });
  expect(await agent.send('Go.')).toBe('Too slow.');
  expect(signals[0]?.aborted).toBe(true);
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(['c1', "It didn't end within 30 ms; it may have taken effect.", true], ['c2', 'in time']),
  );
  expect(await states(store)).toEqual([
    ['c1', 'failed'],
    ['c2', 'completed'],
  ]);
});

test('a tool that fails after it was given up on disturbs nothing', async ({ store, provider }) => {
  const model = await provider([asks(['slow', 'c1']), says('Too slow.')]);
  const given = latch();
  const failed = latch();
  const slow = tool(
    'slow',
    async () => {
      await given.happened;
      setImmediate(() => failed.happen());
      throw new Error('Much too late.');
    },
    { timeoutMs: 20 },
  );
  const agent = await create(store, model, { tools: [slow] });
  expect(await agent.send('Go.')).toBe('Too slow.');
  given.happen();
  await failed.happened;
  expect(await store.loadToolCallRecords('a')).toMatchObject([{ error: expect.stringContaining('20 ms') }]);
});

test('one call that cannot be run does not keep the others from running', async ({ store, provider }) => {
  const pieces = [
    { call: 'act', id: 'c1', rawInput: 'not JSON' },
    { call: 'act', id: 'c2', input: { n: 2 } },
    { call: 'gone', id: 'c3', input: {} },
  ];
  const model = await provider([{ pieces }, says('Done.')]);
  const agent = await create(store, model, { tools: [tool('act')] });
  const { parts } = await collect(agent.stream('Go.'));
  expect(await states(store)).toEqual([
    ['c1', 'failed'],
    ['c2', 'completed'],
    ['c3', 'failed'],
  ]);
  const calls = parts.filter(({ type }) => type === 'tool-call');
  expect(calls).toMatchObject([{ callSeq: 0 }, { callSeq: 1 }, { callSeq: 2 }]);
});

test('parallel calls with one id keep their results apart in the prompt', async ({ store, provider }) => {
  const model = await provider([asks(['act', 'c', { n: 'one' }], ['act', 'c', { n: 'two' }]), says('Done.')]);
  const agent = await create(store, model, { tools: [tool('act')] });
  await agent.send('Go.');
  const prompt = model.requests[1]?.json.messages as { content: unknown }[];
  expect(prompt[2]?.content).toMatchObject([{ content: 'one' }, { content: 'two' }]);
});

const SEARCH: Record<string, ToolSet> = {
  anthropic: { web_search: anthropic.tools.webSearch_20250305({}) as never },
  'openai-responses': { web_search: openai.tools.webSearch({}) as never },
};

describe.each(KINDS.filter((kind) => kind in SEARCH))('%s', (kind) => {
  test('a search that the provider runs stays in the answer, call and result', async ({
    store,
    provider,
  }) => {
    const found = [{ url: 'https://example.org', title: 'A', encryptedContent: 'ENCRYPTED==' }];
    const model = await provider(
      [
        { pieces: [{ webSearch: { query: 'q', results: found }, id: 'srv_1' }, { text: 'Found A.' }] },
        says('As I said.'),
      ],
      kind,
    );
    const agent = await create(store, model, { tools: { ...SEARCH[kind] } });
    const { parts } = await collect(agent.stream('Search.'));
    expect(parts.at(-1)).toMatchObject({ type: 'finish', status: 'completed' });
    expect(parts.filter(({ type }) => type === 'tool-result')).toMatchObject([
      { toolName: 'web_search', providerExecuted: true, callSeq: 0 },
    ]);
    const messages = await store.loadMessages('a');
    expect(messages).toHaveLength(2);
    expect(messages[1]?.content).toMatchObject([
      { type: 'tool_use', id: 'srv_1', name: 'web_search', providerExecuted: true },
      { type: 'tool_result', tool_use_id: 'srv_1' },
      { type: 'text', text: 'Found A.' },
    ]);
    expect(await store.loadToolCallRecords('a')).toMatchObject([
      { toolCallId: 'srv_1', toolName: 'web_search', state: 'completed', isError: false, messageSeq: 1 },
    ]);
    expect(await agent.send('Sure?')).toBe('As I said.');
    const { body = '' } = model.requests[1] ?? {};
    if (kind === 'anthropic') expect(body).toContain('ENCRYPTED==');
    else expect(body).toContain('Found A.');
  });

  test('a search and a call of ours in one answer', async ({ store, provider }) => {
    const pieces = [
      { webSearch: { query: 'q', results: [{ url: 'https://example.org', title: 'A' }] }, id: 'srv_1' },
      { call: 'act', id: 'c1', input: { n: 7 } },
    ];
    const model = await provider([{ pieces }, says('Done.')], kind);
    const agent = await create(store, model, {
      tools: { ...SEARCH[kind], act: { ...tool('act') } as never },
    });
    expect(await agent.send('Go.')).toBe('Done.');
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 7]));
    expect(await states(store)).toEqual([
      ['srv_1', 'completed'],
      ['c1', 'completed'],
    ]);
  });
});

test('a search that failed is a failed call', async ({ store, provider }) => {
  const pieces = [
    { webSearch: { query: 'q', results: { error: 'max_uses_exceeded' } }, id: 'srv_1' },
    { text: 'No luck.' },
  ];
  const model = await provider([{ pieces }, says('Still none.')]);
  const agent = await create(store, model, { tools: { ...SEARCH.anthropic } });
  expect(await agent.send('Search.')).toBe('No luck.');
  expect(await store.loadToolCallRecords('a')).toMatchObject([{ state: 'failed', isError: true }]);
  expect(await agent.send('Sure?')).toBe('Still none.');
  expect(model.requests[1]?.body).toContain('max_uses_exceeded');
});
