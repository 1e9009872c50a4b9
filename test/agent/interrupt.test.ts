import { jsonSchema } from 'ai';
import { describe, expect } from 'vitest';
import type { AgentTemplate } from '../../src/agent/template.ts';
import type { ToolContext } from '../../src/agent/tool-context.ts';
import { TurnInterruptedError } from '../../src/index.ts';
import {
  asks,
  collect,
  create,
  eventTypes,
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

const BEFORE = 'The turn was interrupted before this call began.';
const WHILE = 'The turn was interrupted while this call ran; it may have taken effect.';

describe.each(KINDS)('%s', (kind) => {
  test('interrupt() while the answer streams keeps what had arrived', async ({ store, provider }) => {
    const hanging = says('One two three.', { chunkSize: 4, hangAfter: 2 });
    const model = await provider([hanging, says('One two three four.')], kind);
    const agent = await create(store, model);
    let interrupted: Promise<void> | undefined;
    let text = '';
    const { parts, failure } = await collect(agent.stream('Count.'), (part) => {
      if (part.type === 'text-delta') text += part.text;
      if (text === 'One two ') interrupted ??= agent.interrupt();
    });
    expect(failure).toBeUndefined();
    expect(parts.at(-1)).toMatchObject({ type: 'finish', status: 'interrupted' });
    await interrupted;
    await model.idle();
    expect(model.requests[0]?.closedByClient).toBe(true);
    expect(await store.loadMessages('a')).toMatchObject([
      userSays('Count.'),
      { role: 'assistant', content: [{ type: 'text', text: 'One two ' }], metadata: { partial: true } },
    ]);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
    expect(await eventTypes(store)).toEqual(['message', 'start', 'message', 'abort', 'finish']);

    expect(await agent.run()).toMatchObject({ status: 'completed', text: 'One two three four.' });
    expect(model.requests[1]?.body).toBe(model.requests[0]?.body);
  });

  test('a call that had arrived whole when the turn was stopped does not run', async ({
    store,
    provider,
  }) => {
    const pieces = [
      { call: 'pay', id: 'c1', input: { n: 1 } },
      { text: 'I pay at once, and tell you about it at length.' },
    ];
    const model = await provider([{ pieces, chunkSize: 10, hangAfter: 4 }, says('Stopped.')], kind);
    const paid: unknown[] = [];
    const agent = await create(store, model, { tools: [tool('pay', (input) => paid.push(input))] });
    const stop = new AbortController();
    const { parts } = await collect(agent.stream('Pay.', { signal: stop.signal }), (part) => {
      if (part.type === 'text-delta') stop.abort();
    });
    expect(parts.at(-1)).toMatchObject({ type: 'finish', status: 'interrupted' });
    expect((await agent.run()).text).toBe('Stopped.');
    expect(paid).toEqual([]);
    for (const [, state] of await states(store)) expect(state).toBe('sealed');
    const uses = (model.requests[1]?.body.match(/"c1"/g) ?? []).length;
    // With its result or not at all.
    expect([0, 2]).toContain(uses);
  });
});

test('a signal stops the turn: send() rejects, and the next input answers it', async ({
  store,
  provider,
}) => {
  const model = await provider([says('One two three.', { chunkSize: 4, hangAfter: 1 }), says('Fine.')]);
  const agent = await create(store, model);
  const stop = new AbortController();
  const sent = failureOf(agent.send('Count.', { signal: stop.signal }));
  await model.arrived(0);
  stop.abort(new Error('The user left.'));
  expect(await sent).toBeInstanceOf(TurnInterruptedError);
  expect(await agent.send('Go on.')).toBe('Fine.');
  expect(await store.loadInfo('a')).toMatchObject({ status: 'idle' });
});

test('a signal that is aborted already: the input is stored and nothing is asked', async ({
  store,
  provider,
}) => {
  const model = await provider([says('Hello.')]);
  const agent = await create(store, model);
  const result = await agent.run('Hi', { signal: AbortSignal.abort() });
  expect(result).toMatchObject({ status: 'interrupted', text: '' });
  expect(await store.loadMessages('a')).toEqual([userSays('Hi')]);
  expect(model.requests).toEqual([]);
  expect((await agent.run()).text).toBe('Hello.');
});

describe('close() comes back, whatever others never finish:', () => {
  type Hang = () => Promise<never>;
  const acts = (hang: Hang, rest: Parameters<typeof tool>[2]) => ({ tools: [tool('act', hang, rest)] });
  const cases: [string, (hang: Hang) => Partial<AgentTemplate>][] = [
    ['needsApproval', (hang) => acts(hang, { needsApproval: hang })],
    [
      'the validation of an input',
      (hang) => acts(hang, { inputSchema: jsonSchema({ type: 'object' }, { validate: hang }) }),
    ],
    ['prepareStep', (hang) => ({ ...acts(hang, {}), prepareStep: hang })],
  ];
  for (const [what, rest] of cases) {
    test(what, async ({ store, provider }) => {
      const called = latch();
      const model = await provider([asks(['act', 'c1'])]);
      const hang = () => {
        called.happen();
        return new Promise<never>(() => undefined);
      };
      const agent = await create(store, model, rest(hang));
      const turn = agent.run('Go.');
      await called.happened;
      await agent.close();
      expect((await turn).status).toBe('interrupted');
      expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
      for (const call of await store.loadToolCallRecords('a')) {
        expect(call).toMatchObject({ state: 'failed', error: BEFORE });
      }
    });
  }

  test('toModelOutput, whose call is kept, and which is asked again', async ({ store, provider }) => {
    const called = latch();
    let hangs = true;
    let ran = 0;
    const act = tool('act', () => (ran += 1), {
      toModelOutput: async ({ output }) => {
        called.happen();
        if (hangs) await new Promise(() => undefined);
        return { type: 'text', value: `In words: ${output}` };
      },
    });
    const model = await provider([asks(['act', 'c1'], ['act', 'c2']), says('Done.')]);
    const agent = await create(store, model, { tools: [act] });
    const turn = agent.run('Go.');
    await called.happened;
    await agent.close();
    expect((await turn).status).toBe('interrupted');
    expect(await states(store)).toEqual([
      ['c1', 'completed'],
      ['c2', 'completed'],
    ]);
    const resumed = await resume(store, model, { tools: [act] });
    hangs = false;
    expect((await resumed.run()).text).toBe('Done.');
    expect(ran).toBe(2);
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'In words: 1'], ['c2', 'In words: 2']));
  });

  const streams: [string, ReadableStream | Promise<never>][] = [
    ['a model that never answers', new Promise<never>(() => undefined)],
    [
      'a model that stops in the middle of its answer',
      new ReadableStream({
        start(controller) {
          controller.enqueue({ type: 'stream-start', warnings: [] });
          controller.enqueue({ type: 'text-start', id: '0' });
          controller.enqueue({ type: 'text-delta', id: '0', delta: 'One' });
        },
      }),
    ],
  ];
  for (const [what, stream] of streams) {
    test(what, async ({ store }) => {
      const called = latch();
      const model = {
        specificationVersion: 'v3' as const,
        provider: 'deaf',
        modelId: 'deaf',
        supportedUrls: {},
        doGenerate: () => new Promise<never>(() => undefined),
        async doStream() {
          called.happen();
          return { stream: await stream };
        },
      };
      const agent = await create(store, { model });
      const turn = agent.run('Go.');
      await called.happened;
      await agent.close();
      expect((await turn).status).toBe('interrupted');
      expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
    });
  }
});

test('interrupt() right after the call stops the turn before the model is asked', async ({
  store,
  provider,
}) => {
  const model = await provider([says('Hello.')]);
  const agent = await create(store, model);
  const turn = agent.run('Hi');
  await agent.interrupt();
  expect((await turn).status).toBe('interrupted');
  expect(await store.loadMessages('a')).toEqual([userSays('Hi')]);
  expect(model.requests).toEqual([]);
});

onEachStore(({ test }) => {
  test('interrupt() while tools run: what ended is kept, the others say how far they came', async ({
    store,
    provider,
    reopen,
  }) => {
    const model = await provider([
      asks(['quick', 'c1'], ['slow', 'c2'], ['deaf', 'c3'], ['quick', 'c4']),
      says('I see.'),
    ]);
    const running = { slow: latch<ToolContext>(), deaf: latch() };
    const slow = tool('slow', (_input, context) => {
      running.slow.happen(context);
      return new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => reject(context.signal.reason));
      });
    });
    const deaf = tool('deaf', () => {
      running.deaf.happen();
      return new Promise(() => undefined);
    });
    const agent = await create(store, model, {
      tools: [tool('quick', () => 'done'), slow, deaf],
      toolConcurrency: 2,
    });
    const turn = agent.run('Go.');
    // `quick` has ended before there was room for `deaf`.
    const { signal } = await running.slow.happened;
    await running.deaf.happened;
    await agent.interrupt();
    expect(signal.aborted).toBe(true);
    expect(await turn).toMatchObject({ status: 'interrupted' });
    const stored = [
      userSays('Go.'),
      modelAsks(['quick', 'c1'], ['slow', 'c2'], ['deaf', 'c3'], ['quick', 'c4']),
      results(['c1', 'done'], ['c2', WHILE, true], ['c3', WHILE, true], ['c4', BEFORE, true]),
    ];
    expect(await store.loadMessages('a')).toEqual(stored);
    expect(await states(store)).toEqual([
      ['c1', 'completed'],
      ['c2', 'failed'],
      ['c3', 'failed'],
      ['c4', 'failed'],
    ]);
    const again = await resume(await reopen(), model, { tools: [slow] });
    expect((await again.run()).text).toBe('I see.');
    expect(model.requests[1]?.json.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant' },
      { role: 'user', content: [{ tool_use_id: 'c1' }, { is_error: true }, {}, { tool_use_id: 'c4' }] },
    ]);
  });

  test('interrupt() without a turn does nothing, and the next turn is not stopped', async ({
    store,
    provider,
  }) => {
    const model = await provider([says('Hello.')]);
    const agent = await create(store, model);
    await agent.interrupt();
    expect(await agent.send('Hi')).toBe('Hello.');
    expect(await store.loadMessages('a')).toEqual([userSays('Hi'), modelSays('Hello.')]);
  });

  test('interrupt() stops the turn under way, not the one that queues behind it', async ({
    store,
    provider,
  }) => {
    const answer = latch();
    const model = await provider(async (_request, index) => {
      if (index === 0) return says('Hel', { hangAfter: 0 });
      await answer.happened;
      return says('Second.');
    });
    const agent = await create(store, model);
    const first = agent.run('One.');
    const second = agent.run('Two.', { whenBusy: 'queue' });
    await model.arrived(0);
    await agent.interrupt();
    expect((await first).status).toBe('interrupted');
    answer.happen();
    expect(await second).toMatchObject({ status: 'completed', text: 'Second.' });
    expect(await store.loadMessages('a')).toEqual([userSays('One.'), userSays('Two.'), modelSays('Second.')]);
  });
});
