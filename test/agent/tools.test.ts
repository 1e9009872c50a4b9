import { jsonSchema, tool as sdkTool } from 'ai';
import { describe, expect } from 'vitest';
import { z } from 'zod';
import { z as z3 } from 'zod/v3';
import { defineTool, type SdkTool, type ToolResultBlock, ValidationError } from '../../src/index.ts';
import {
  asks,
  collect,
  create,
  modelAsks,
  modelSays,
  results,
  says,
  states,
  test,
  tool,
  userSays,
  withCommit,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';

const OBJECT = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } as const;
const description = 'Doubles a number.';
type Doubled = { n: number };
const double = ({ n }: Doubled) => ({ doubled: n * 2 });

const DEFINITIONS: [string, () => readonly ReturnType<typeof defineTool>[] | Record<string, SdkTool>][] = [
  [
    'zod 4',
    () => [
      defineTool({ name: 'double', description, inputSchema: z.object({ n: z.number() }), execute: double }),
    ],
  ],
  [
    'zod 3',
    () => [
      defineTool({ name: 'double', description, input: z3.object({ n: z3.number() }), execute: double }),
    ],
  ],
  [
    'jsonSchema()',
    () => [
      defineTool({ name: 'double', description, inputSchema: jsonSchema<Doubled>(OBJECT), execute: double }),
    ],
  ],
  [
    "a record of the SDK's tools",
    () => ({ double: sdkTool({ description, inputSchema: z.object({ n: z.number() }), execute: double }) }),
  ],
];

describe.each(KINDS)('%s', (kind) => {
  describe.each(DEFINITIONS)('a tool defined with %s', (_name, tools) => {
    test('is shown to the model, and runs', async ({ store, provider }) => {
      const model = await provider([asks(['double', 'c1', { n: 4 }]), says('Eight.')], kind);
      const agent = await create(store, model, { tools: tools() });
      expect(await agent.send('Double 4.')).toBe('Eight.');
      const [shown] = (model.requests[0]?.json.tools ?? []) as Record<string, unknown>[];
      const body = (kind === 'openai-chat' ? shown?.function : shown) as Record<string, unknown>;
      expect(body).toMatchObject({ name: 'double', description });
      expect(body.input_schema ?? body.parameters).toMatchObject(OBJECT);
      const [, answer, result] = await store.loadMessages('a');
      expect(answer).toMatchObject(modelAsks(['double', 'c1', { n: 4 }]));
      expect(result).toEqual(results(['c1', { doubled: 8 }]));
    });
  });

  test('malformed input fails the call once, and the model reads why', async ({ store, provider }) => {
    const broken = { pieces: [{ call: 'act', id: 'c1', rawInput: '{"n": 1' }] };
    const model = await provider([broken, says('Sorry.')], kind);
    let ran = false;
    const agent = await create(store, model, {
      tools: [
        tool('act', () => {
          ran = true;
        }),
      ],
    });
    const { parts } = await collect(agent.stream('Act.'));
    expect(ran).toBe(false);
    expect(parts.filter(({ type }) => type === 'tool-error')).toHaveLength(1);
    expect(parts.at(-1)).toMatchObject({ type: 'finish', status: 'completed' });
    expect(await store.loadToolCallRecords('a')).toMatchObject([
      { state: 'failed', isError: true, error: expect.stringMatching(/JSON|parse/i) },
    ]);
    const [, answer, result] = await store.loadMessages('a');
    expect(answer?.content).toMatchObject([{ type: 'tool_use', id: 'c1', name: 'act', input: {} }]);
    expect(result).toEqual(results(['c1', expect.stringMatching(/JSON|parse/i), true]));
    expect(model.requests[1]?.body.match(/"c1"/g)).toHaveLength(2);
  });

  test('an image that a tool gives reaches the model', async ({ store, provider }) => {
    const model = await provider([asks(['draw', 'c1']), says('Nice.')], kind);
    const draw = defineTool({
      name: 'draw',
      execute: () => ({ path: 'plot.png' }),
      toModelOutput: ({ output }) => ({
        type: 'content',
        value: [
          { type: 'text', text: (output as { path: string }).path },
          { type: 'image-data', data: 'aW1hZ2U=', mediaType: 'image/png' },
        ],
      }),
    });
    const agent = await create(store, model, { tools: [draw] });
    expect(await agent.send('Draw.')).toBe('Nice.');
    expect((await store.loadMessages('a'))[2]).toEqual(
      results([
        'c1',
        [
          { type: 'text', text: 'plot.png' },
          { type: 'image-data', data: 'aW1hZ2U=', mediaType: 'image/png' },
        ],
      ]),
    );
    // The record has what the tool gave, the conversation what the model saw.
    expect(await store.loadToolCallRecords('a')).toMatchObject([{ output: { path: 'plot.png' } }]);
    const { body = '' } = model.requests[1] ?? {};
    expect(body).toContain('plot.png');
    expect(body).toContain('aW1hZ2U=');
  });
});

test('the stored input is what the model wrote; the tool gets what its schema made of it', async ({
  store,
  provider,
}) => {
  const model = await provider([asks(['act', 'c1', { n: '4', extra: true }]), says('Done.')]);
  const seen: unknown[] = [];
  const act = defineTool({
    name: 'act',
    inputSchema: z.object({ n: z.coerce.number(), unit: z.string().default('m') }),
    execute: (input) => seen.push(input),
  });
  const agent = await create(store, model, { tools: [act] });
  await agent.send('Act.');
  expect(seen).toEqual([{ n: 4, unit: 'm' }]);
  expect(await store.loadToolCallRecords('a')).toMatchObject([{ input: { n: '4', extra: true } }]);
  expect((await store.loadMessages('a'))[1]).toEqual(modelAsks(['act', 'c1', { n: '4', extra: true }]));
});

test('an input that its schema refuses fails the call, and the model may try again', async ({
  store,
  provider,
}) => {
  const model = await provider([
    asks(['act', 'c1', { n: 'four' }]),
    asks(['act', 'c2', { n: 4 }]),
    says('Done.'),
  ]);
  const seen: unknown[] = [];
  const act = defineTool({
    name: 'act',
    inputSchema: z.object({ n: z.number() }),
    execute: ({ n }) => {
      seen.push(n);
      return 'ok';
    },
  });
  const agent = await create(store, model, { tools: [act] });
  expect(await agent.send('Act.')).toBe('Done.');
  expect(seen).toEqual([4]);
  const [first, second] = await store.loadToolCallRecords('a');
  expect(first).toMatchObject({
    state: 'failed',
    isError: true,
    error: expect.stringContaining('expected number'),
  });
  expect(first?.startedAt).toBeUndefined();
  expect(second).toMatchObject({ state: 'completed', isError: false, output: 'ok' });
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(['c1', expect.stringMatching(/input of act isn't valid.*expected number/s), true]),
  );
});

test('a tool that does not exist fails the call', async ({ store, provider }) => {
  const model = await provider([asks(['fly', 'c1'], ['act', 'c2']), says('Sorry.')]);
  const agent = await create(store, model, { tools: [tool('act')] });
  expect(await agent.send('Fly.')).toBe('Sorry.');
  expect(await states(store)).toEqual([
    ['c1', 'failed'],
    ['c2', 'completed'],
  ]);
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(['c1', expect.stringContaining('fly'), true], ['c2', 'ok']),
  );
});

test('what a tool throws is what the model reads, without a stack', async ({ store, provider }) => {
  const model = await provider([asks(['fail', 'c1'], ['mutter', 'c2'], ['reject', 'c3']), says('I see.')]);
  const fail = tool('fail', () => {
    throw new TypeError('No such order.');
  });
  const mutter = tool('mutter', () => {
    throw 'just a text';
  });
  const reject = tool('reject', () => Promise.reject(undefined));
  const agent = await create(store, model, { tools: [fail, mutter, reject] });
  expect(await agent.send('Go.')).toBe('I see.');
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(['c1', 'No such order.', true], ['c2', 'just a text', true], ['c3', 'unknown error', true]),
  );
  const records = await store.loadToolCallRecords('a');
  expect(records.map(({ state, error }) => [state, error])).toEqual([
    ['failed', 'No such order.'],
    ['failed', 'just a text'],
    ['failed', 'unknown error'],
  ]);
  expect(records.every((call) => call.startedAt && call.completedAt)).toBe(true);
});

test('outputs of all kinds are stored and sent, and what JSON does not know fails the call', async ({
  store,
  provider,
}) => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const outputs = [null, false, 0, '', [], new Date(0), undefined, 10n, cycle, () => 1, Number.NaN];
  const model = await provider([
    asks(...outputs.map((_, i): [string, string, unknown] => ['give', `c${i}`, { i }])),
    says('Done.'),
  ]);
  const give = tool('give', (input) => outputs[(input as { i: number }).i]);
  const agent = await create(store, model, { tools: [give] });
  expect(await agent.send('Give.')).toBe('Done.');
  const results = (await store.loadMessages('a'))[2]?.content as ToolResultBlock[] | undefined;
  const contents = results?.map((block) => [block.content, block.is_error]);
  expect(contents?.slice(0, 7)).toEqual([
    [null, undefined],
    [false, undefined],
    [0, undefined],
    ['', undefined],
    [[], undefined],
    ['1970-01-01T00:00:00.000Z', undefined],
    [null, undefined],
  ]);
  for (const [content, isError] of contents?.slice(7) ?? []) {
    expect(content).toMatch(/^output/);
    expect(isError).toBe(true);
  }
  const records = await store.loadToolCallRecords('a');
  expect(records.map((call) => call.state)).toEqual([
    ...Array(7).fill('completed'),
    ...Array(4).fill('failed'),
  ]);
  expect(records[2]?.output).toBe(0);
});

test('a toModelOutput that fails does not hide that the call succeeded', async ({ store, provider }) => {
  const model = await provider([asks(['act', 'c1'], ['odd', 'c2']), says('I see.')]);
  const toModelOutput = () => {
    throw new Error('No picture.');
  };
  const odd = { toModelOutput: () => ({ type: 'json', value: 10n }) as never };
  const agent = await create(store, model, {
    tools: [tool('act', undefined, { toModelOutput }), tool('odd', undefined, odd)],
  });
  await agent.send('Act.');
  expect(await states(store)).toEqual([
    ['c1', 'completed'],
    ['c2', 'completed'],
  ]);
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(
      ['c1', expect.stringMatching(/succeeded.*No picture/), true],
      ['c2', expect.stringContaining('succeeded'), true],
    ),
  );
});

test('a toModelOutput that gives no output costs the model its words, not the conversation', async ({
  store,
  provider,
}) => {
  const outputs: unknown[] = [
    undefined,
    null,
    'text',
    5,
    [],
    {},
    { type: 'video', value: 1 },
    { type: 'text', value: 5 },
    { type: 'content', value: 'none' },
    { type: 'content', value: [{ type: 'text' }] },
    { type: 'text', value: 'x', providerOptions: 5 },
  ];
  const act = tool('act', () => 'done', {
    toModelOutput: ({ input }) => outputs[(input as { n: number }).n] as never,
  });
  const calls = outputs.map((_, n): [string, string, unknown] => ['act', `c${n}`, { n }]);
  const model = await provider([asks(...calls), says('I see.'), says('Yes.')]);
  const agent = await create(store, model, { tools: [act] });
  expect(await agent.send('Act.')).toBe('I see.');
  expect(new Set((await states(store)).map(([, state]) => state))).toEqual(new Set(['completed']));
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(
      ...calls.map(([, id]): [string, unknown, true] => [id, expect.stringMatching(/succeeded/), true]),
    ),
  );
  expect(await agent.send('Still there?')).toBe('Yes.');
});

test('a tool may show outputs as they come; the last one is stored', async ({ store, provider }) => {
  const model = await provider([asks(['count', 'c1']), says('Done.')]);
  const count = tool('count', async function* () {
    yield 'one';
    yield 'two';
    yield 'three';
  });
  const agent = await create(store, model, { tools: [count] });
  const { parts } = await collect(agent.stream('Count.'));
  const shown = parts.filter((part) => part.type === 'tool-result');
  expect(shown.map(({ output, preliminary }) => [output, preliminary])).toEqual([
    ['one', true],
    ['two', true],
    ['three', true],
    ['three', undefined],
  ]);
  expect(shown.map(({ cursor }) => cursor !== undefined)).toEqual([false, false, false, true]);
  expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'three']));
});

test('a tool knows its call, and may write events and to-dos', async ({ store, provider }) => {
  const model = await provider([
    asks(['plan', 'c1', { n: 1 }]),
    asks(['plan', 'c1', { n: 2 }]),
    says('Done.'),
  ]);
  const seen: unknown[] = [];
  const plan = tool('plan', async (input, context) => {
    const { agentId, toolCallId, callSeq, idempotencyKey, messages, signal, abortSignal } = context;
    seen.push({ agentId, toolCallId, callSeq, idempotencyKey, heard: messages.length });
    expect(abortSignal).toBe(signal);
    await context.setTodos([{ title: 'Rest', n: (input as { n: number }).n }]);
    return context.emit({ channel: 'monitor', type: 'planned' });
  });
  const agent = await create(store, model, { tools: [plan] });
  await agent.send('Plan.');
  expect(seen).toEqual([
    { agentId: 'a', toolCallId: 'c1', callSeq: 0, idempotencyKey: 'a:0', heard: 1 },
    { agentId: 'a', toolCallId: 'c1', callSeq: 1, idempotencyKey: 'a:1', heard: 3 },
  ]);
  expect(agent.todos).toEqual([{ title: 'Rest', n: 2 }]);
  expect(await store.loadTodos('a')).toMatchObject({ todos: [{ title: 'Rest', n: 2 }] });
  const cursors: number[] = [];
  for await (const { cursor, event } of store.readEvents('a'))
    if (event.type === 'planned') cursors.push(cursor);
  const outputs = (await store.loadToolCallRecords('a')).map((call) => call.output);
  expect(outputs).toEqual(cursors);
});

test('instructions that a tool gives no schema for take no input', async ({ store, provider }) => {
  const model = await provider([asks(['ping', 'c1']), says('Done.')]);
  const agent = await create(store, model, { tools: [defineTool({ name: 'ping', execute: () => 'pong' })] });
  await agent.send('Ping.');
  expect(await store.loadMessages('a')).toEqual([
    userSays('Ping.'),
    modelAsks(['ping', 'c1']),
    results(['c1', 'pong']),
    modelSays('Done.'),
  ]);
});

test('outputs that change, or that are too large, cost their calls and not the turn', async ({
  store,
  provider,
}) => {
  // What a store takes at most, without the hundred million characters that ours take.
  const LIMIT = 3_000_000;
  const small = withCommit(store, async (commit, agentId, change) => {
    for (const value of [...(change.messages ?? []), ...(change.toolCalls ?? [])]) {
      if (JSON.stringify(value).length > LIMIT) throw new ValidationError('value', 'is too large');
    }
    return commit(agentId, change);
  });
  const outputs: (() => unknown)[] = [
    () => 'x'.repeat(4_000_000),
    () => 'y'.repeat(2_000_000),
    () => 'z'.repeat(2_000_000),
    () => {
      let looks = 0;
      return {
        get changing() {
          looks += 1;
          return looks > 2 ? 7n : looks;
        },
      };
    },
    () => 'small',
  ];
  const act = tool('act', (input) => outputs[(input as { n: number }).n]?.());
  const calls = outputs.map((_, n): [string, string, unknown] => ['act', `c${n}`, { n }]);
  const model = await provider([asks(...calls), says('I see.')]);
  const agent = await create(small, model, { tools: [act] });
  expect(await agent.send('Act.')).toBe('I see.');
  const records = await store.loadToolCallRecords('a');
  expect(records.map(({ state }) => state)).toEqual(['failed', ...Array(4).fill('completed')]);
  expect(String(records[1]?.output)).toHaveLength(2_000_000);
  const content = (await store.loadMessages('a'))[2]?.content as ToolResultBlock[];
  expect(content.map(({ content: shown }) => shown)).toEqual([
    expect.stringContaining("can't be stored"),
    expect.stringContaining('too large'),
    expect.stringContaining('too large'),
    { changing: expect.any(Number) },
    'small',
  ]);
});
