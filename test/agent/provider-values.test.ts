import { describe, expect, it } from 'vitest';
import { Agent } from '../../src/agent/agent.ts';
import { messageOf, modelError } from '../../src/agent/failure.ts';
import type { LanguageModel } from '../../src/agent/model.ts';
import type { Store } from '../../src/store/store.ts';
import { create, failureOf, onEachStore, resume, says, states, template, test, tool } from './harness.ts';
import { KINDS } from './provider/collect.ts';
import type { Piece, RecordedRequest } from './provider/provider.ts';

const SIGNED = `call_${'A'.repeat(4_500)}`;
const HUGE = `call_${'B'.repeat(70_000)}`;

/** Ids of calls and of results in a request, in their order. */
function idsIn({ kind, json }: RecordedRequest): { calls: unknown[]; results: unknown[]; names: unknown[] } {
  const found = { calls: [] as unknown[], results: [] as unknown[], names: [] as unknown[] };
  const entries = (kind === 'openai-responses' ? json.input : json.messages) as Record<string, unknown>[];
  for (const entry of entries) {
    const items = Array.isArray(entry.content) ? (entry.content as Record<string, unknown>[]) : [];
    for (const item of [entry, ...items, ...((entry.tool_calls as Record<string, unknown>[]) ?? [])]) {
      if (item.type === 'tool_use') found.names.push(item.name);
      if (item.type === 'function_call') found.names.push(item.name);
      if (item.type === 'function') found.names.push((item.function as { name: string }).name);
      if (item.type === 'tool_use' || item.type === 'function') found.calls.push(item.id);
      if (item.type === 'function_call') found.calls.push(item.call_id);
      if (item.type === 'tool_result') found.results.push(item.tool_use_id);
      if (item.type === 'function_call_output') found.results.push(item.call_id);
      if (item.role === 'tool') found.results.push(item.tool_call_id);
    }
  }
  return found;
}

describe.each(KINDS)('%s', (kind) => {
  onEachStore(({ test }) => {
    test('M1 ids that are long, empty or repeated, and impossible names: the turn ends, and goes on', async ({
      store,
      provider,
      reopen,
    }) => {
      const pieces: Piece[] = [
        { call: 'act', id: SIGNED, input: { n: 1 } },
        { call: 'act', id: '', input: { n: 2 } },
        { call: 'act', id: 'twice', input: { n: 3 } },
        { call: 'act', id: 'twice', input: { n: 4 } },
        { call: '', id: 'unnamed', input: {} },
        { call: `t${'z'.repeat(399)}`, id: 'overlong', input: {} },
        { call: 'no/such tool', id: 'odd', input: {} },
        { call: 'act', id: HUGE, input: { n: 5 } },
      ];
      const model = await provider([{ pieces, chunkSize: 20_000 }, says('Done.'), says('Again.')], kind);
      const agent = await create(store, model, { tools: [tool('act')] });
      expect(await agent.send('Go.')).toBe('Done.');
      expect(await store.loadInfo('a')).toMatchObject({ status: 'idle' });
      const calls = await states(store);
      // The SDK's package for chat completions makes ids of its own where there are none.
      if (kind !== 'openai-chat') {
        const ids = [SIGNED, '', 'twice', 'twice', 'unnamed', 'overlong', 'odd'];
        expect(calls.slice(0, 7).map(([id]) => ids.indexOf(id))).toEqual(ids.map((id) => ids.indexOf(id)));
        expect(calls.map(([, state]) => state === 'failed')).toEqual(
          [...'00001110'].map((flag) => flag === '1'),
        );
      }
      expect(calls[0]?.[0] === SIGNED).toBe(true);
      expect(calls.at(-1)?.[0]).toMatch(/^call_[\w-]{43}$/);
      const sent = idsIn(model.requests[1] as RecordedRequest);
      const same = (ids: unknown[]) => JSON.stringify(ids) === JSON.stringify(calls.map(([id]) => id));
      expect(same(sent.calls)).toBe(true);
      expect(same(sent.results)).toBe(true);
      for (const name of sent.names) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
      const repaired: unknown[] = [];
      for await (const { event } of store.readEvents('a', { channel: 'monitor' })) repaired.push(event);
      expect(repaired).toMatchObject([
        { type: 'repaired', messageSeq: 1, repairs: [{ field: 'toolCallId' }] },
      ]);
      await agent.close();

      const again = await Agent.resume('a', {
        store: await reopen(),
        provider: model.model,
        template: template({ tools: [tool('act')] }),
      });
      expect(await again.send('And?')).toBe('Again.');
      expect(JSON.stringify(idsIn(model.requests[2] as RecordedRequest)) === JSON.stringify(sent)).toBe(true);
    });
  });
});

/** Of what other providers made: these have no place for it, and say so on the console. */
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

type Part = Record<string, unknown>;

/** A model that streams whatever it is given, and says nothing of what it should have. */
function streaming(...answers: unknown[][]): { model: LanguageModel } {
  let asked = 0;
  const model = {
    specificationVersion: 'v3' as const,
    provider: 'odd',
    modelId: 'odd-1',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('It only streams.')),
    async doStream() {
      const parts = answers[asked++] ?? [];
      return {
        stream: new ReadableStream({
          start(controller) {
            for (const part of parts) controller.enqueue(part);
            controller.close();
          },
        }),
      };
    },
  };
  return { model };
}

const USAGE = { inputTokens: { total: 3, noCache: 3 }, outputTokens: { total: 2, text: 2 } };
const finish = (unified: string, rest: Part = {}): Part => ({
  type: 'finish',
  finishReason: { unified, raw: unified },
  usage: USAGE,
  ...rest,
});

/** Everything that JSON doesn't have, or that throws when it is looked at. */
function hostile(): Part {
  const cycle: Part = {};
  cycle.self = cycle;
  let deep: Part = {};
  for (let level = 0; level < 2_000; level += 1) deep = { deep };
  const fails = () => {
    throw new Error('Not for you.');
  };
  return {
    nan: Number.NaN,
    infinite: Number.NEGATIVE_INFINITY,
    big: 7n,
    run: () => 1,
    symbol: Symbol('s'),
    date: new Date(0),
    noDate: new Date(Number.NaN),
    floats: new Float64Array([Number.NaN]),
    bytes: new Uint8Array([1, 2]),
    map: new Map([[1, 2n]]),
    expression: /x/,
    cycle,
    deep,
    json: { toJSON: fails },
    get thrown() {
      return fails();
    },
    proxy: new Proxy({}, { get: fails, ownKeys: fails }),
    lone: '\ud800\u0000',
    long: 'x'.repeat(300_000),
    undefined: undefined,
  };
}

async function repairsOf(store: Store): Promise<string> {
  const said: string[] = [];
  for await (const { event } of store.readEvents('a', { channel: 'monitor' })) {
    if (event.type === 'repaired') said.push(JSON.stringify(event.repairs));
  }
  return said.join(' ');
}

const METADATA: [string, () => unknown][] = [
  ['a number', () => 5],
  ['null', () => null],
  ['a text', () => 'x'],
  ['an array', () => [1]],
  ['values that are no objects', () => ({ p: 5, q: null, r: [1], s: { kept: true } })],
  ['hostile values', () => ({ p: hostile() })],
  ['hostile values as options', hostile],
  ['a proxy that throws', () => new Proxy({}, { get: () => 1n, ownKeys: () => ['a', 'a'] })],
];

describe('M1 a language model whose metadata is', () => {
  for (const [what, make] of METADATA) {
    test(`${what}: the turn ends, and real providers take the conversation`, async ({ store, provider }) => {
      const providerMetadata = make();
      const model = streaming(
        [
          { type: 'reasoning-start', id: 'r', providerMetadata },
          { type: 'reasoning-delta', id: 'r', delta: 'Hm.', providerMetadata },
          { type: 'reasoning-end', id: 'r', providerMetadata },
          { type: 'text-start', id: 't', providerMetadata },
          { type: 'text-delta', id: 't', delta: 'I look.', providerMetadata },
          { type: 'text-end', id: 't', providerMetadata },
          { type: 'source', sourceType: 'url', id: 's', url: 'https://example.com', providerMetadata },
          { type: 'tool-call', toolCallId: 'c1', toolName: 'act', input: '{"n":1}', providerMetadata },
          finish('tool-calls', { providerMetadata }),
        ],
        [{ type: 'text-start', id: 't' }, { type: 'text-delta', id: 't', delta: 'Done.' }, finish('stop')],
      );
      const agent = await create(store, model, { tools: [tool('act')] });
      expect(await agent.send('Go.')).toBe('Done.');
      expect(await states(store)).toEqual([['c1', 'completed']]);
      expect(await repairsOf(store)).toContain('providerMetadata');
      await agent.close();
      for (const kind of KINDS) {
        const real = await provider([says('Fine.')], kind);
        const again = await resume(store, real, { tools: [tool('act')] });
        expect(await again.send('And?')).toBe('Fine.');
        const { calls, results } = idsIn(real.requests[0] as RecordedRequest);
        expect([calls, results]).toEqual([['c1'], ['c1']]);
        await again.close();
      }
    });
  }
});

describe('M1 parts of an answer that the SDK would throw it away for', () => {
  const odd: [string, unknown][] = [
    ['null', null],
    ['a number', 5],
    ['no type', {}],
    ['a type of nobody', { type: 'hologram', data: 7n }],
    ['a type that is a symbol', { type: Symbol('x') }],
    ['an end without a beginning', { type: 'text-end', id: 'nothing' }],
    ['a second end', { type: 'text-end', id: 'before' }],
    ['a text without a beginning', { type: 'text-delta', id: 'sudden', delta: '' }],
    ['a delta without a text', { type: 'text-delta', id: 't' }],
    ['a delta that is an object', { type: 'text-delta', id: 't', delta: { a: 1 } }],
    ['a file without content', { type: 'file', mediaType: 'image/png' }],
    ['a file of floats', { type: 'file', mediaType: 'image/png', data: new Float64Array(2) }],
    ['a time that is none', { type: 'response-metadata', id: 5, timestamp: new Date(Number.NaN) }],
    ['a model id of half a character', { type: 'response-metadata', modelId: '\ud800'.repeat(300) }],
    ['an approval of no call', { type: 'tool-approval-request', approvalId: 'a', toolCallId: 'none' }],
    ['a hostile source', { type: 'source', sourceType: 'url', id: 's', url: hostile() }],
    [
      'a hostile result of a search',
      { type: 'tool-result', toolCallId: 'x', toolName: 'search', result: hostile(), providerExecuted: true },
    ],
  ];
  const parts = (...between: unknown[]): unknown[] => [
    { type: 'text-start', id: 'before' },
    { type: 'text-delta', id: 'before', delta: 'One ' },
    { type: 'text-end', id: 'before' },
    { type: 'text-start', id: 't' },
    { type: 'text-delta', id: 't', delta: 'two ' },
    ...between,
    { type: 'text-delta', id: 't', delta: 'three.' },
    { type: 'text-end', id: 't' },
  ];
  const usages: [string, Part][] = [
    ['no usage', { usage: undefined }],
    ['usage that is null', { usage: null }],
    ['usage of counts alone', { usage: { inputTokens: 5, outputTokens: Number.NaN } }],
    ['hostile usage', { usage: { inputTokens: hostile(), outputTokens: { total: 3n }, raw: hostile() } }],
    ['usage in fractions', { usage: { inputTokens: { total: 2.5 }, outputTokens: { total: 0.4 } } }],
    ['usage that throws', { usage: Object.defineProperty({}, 'inputTokens', { get: () => null }) }],
    ['a reason that is a number', { finishReason: 5 }],
    ['a reason that is a symbol', { finishReason: { unified: Symbol('s'), raw: 'x' } }],
    ['a reason of an older version', { finishReason: 'stop' }],
  ];

  test('each alone, and all at once', async ({ store, provider }) => {
    const answers = [
      ...odd.map(([, part]) => [...parts(part), finish('stop')]),
      ...usages.map(([, rest]) => [...parts(), finish('stop', rest)]),
      [...parts(...odd.map(([, part]) => part)), finish('stop', usages[3]?.[1])],
    ];
    const names = [...odd, ...usages, ['all']].map(([name]) => name);
    const agent = await create(store, streaming(...answers));
    for (const [i, name] of names.entries()) {
      const text = await agent.send(`Number ${i}.`).catch((error: unknown) => `${name}: ${String(error)}`);
      expect(text, String(name)).toBe('One two three.');
    }
    expect(await repairsOf(store)).toMatch(/hologram.*is 2\.5: rounded.*tool-approval-request/);
    await agent.close();
    for (const kind of KINDS) {
      const real = await provider([says('Fine.')], kind);
      const again = await resume(store, real);
      expect(await again.send('And?')).toBe('Fine.');
      await again.close();
    }
  });

  it('an error that throws when it is looked at is told as one of ours', async () => {
    const fails = () => {
      throw new Error('Not for you.');
    };
    const errors = [
      Object.defineProperty(new Error('x'), 'message', { get: fails }),
      Object.assign(new Error('x'), { message: 5 }),
      new Proxy({}, { get: fails, getPrototypeOf: fails }),
    ];
    for (const error of errors) {
      expect(messageOf(error)).toMatch(/^unknown error$|^Error$/);
      expect(modelError(error)).toMatchObject({ code: 'MODEL_FAILED' });
    }
  });

  test('what a tool throws fails its call, whatever it is', async ({ store }) => {
    const thrown = [
      undefined,
      Symbol('s'),
      Object.assign(new Error('x'), { message: 5 }),
      new Proxy({}, { get: () => 1n, getPrototypeOf: () => null }),
      Object.defineProperty({}, 'message', {
        get: () => {
          throw new Error('Not for you.');
        },
      }),
    ];
    const calls = thrown.map(
      (_, n): Part => ({
        type: 'tool-call',
        toolCallId: `c${n}`,
        toolName: 'act',
        input: JSON.stringify({ n }),
      }),
    );
    const model = streaming([...calls, finish('tool-calls')], [...parts(), finish('stop')]);
    const act = tool('act', (input) => {
      throw thrown[(input as { n: number }).n];
    });
    const agent = await create(store, model, { tools: [act] });
    expect(await agent.send('Go.')).toBe('One two three.');
    expect(new Set((await states(store)).map(([, state]) => state))).toEqual(new Set(['failed']));
  });

  test('a model that gives no stream fails its turn, and nothing else', async ({ store }) => {
    const model = { ...(streaming().model as object), doStream: () => Promise.resolve(null) } as never;
    const agent = await create(store, { model });
    expect(await failureOf(agent.send('Go.'))).toMatchObject({ code: 'MODEL_FAILED' });
    expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
  });
});

describe.each(KINDS)('M1 usage of %s', (kind) => {
  test('that makes no sense is left out, and said', async ({ store, provider }) => {
    const usage = { inputTokens: -5, outputTokens: 1e300, cachedTokens: 0 };
    const model = await provider([says('One.', { usage }), says('Two.')], kind);
    const agent = await create(store, model);
    expect(await agent.send('Go.')).toBe('One.');
    expect(await repairsOf(store)).toContain('usage');
    expect(await agent.send('On.')).toBe('Two.');
  });
});
