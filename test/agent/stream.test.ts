import { describe, expect } from 'vitest';
import type { AgentStreamPart } from '../../src/index.ts';
import type { Store } from '../../src/store/store.ts';
import {
  asks,
  collect,
  create,
  latch,
  modelSays,
  onEachStore,
  says,
  test,
  tool,
  userSays,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';

/** The parts' types in their order; deltas of one piece count once. */
function outline(parts: AgentStreamPart[]): string[] {
  return parts.map(({ type }) => type).filter((type, i, types) => type !== types[i - 1]);
}

/** Every part with a cursor is what the store has at this cursor. */
async function expectStored(store: Store, parts: AgentStreamPart[]): Promise<void> {
  const events = new Map<number, unknown>();
  for await (const { cursor, event } of store.readEvents('a')) events.set(cursor, event);
  const placed = parts.filter((part) => part.cursor !== undefined);
  for (const part of placed) {
    const { type, cursor = 0 } = part;
    const name = type === 'tool-approval-request' ? part.toolCall : part;
    const call = 'toolCallId' in name ? { toolCallId: name.toolCallId, callSeq: name.callSeq } : {};
    expect(events.get(cursor)).toMatchObject({ type, ...call });
  }
  const cursors = placed.map((part) => part.cursor);
  expect(cursors).toEqual([...new Set(cursors)].sort((a = 0, b = 0) => a - b));
}

onEachStore(({ test }) => {
  test('parts come in order, and those that are stored say where', async ({ store, provider }) => {
    const model = await provider([
      { pieces: [{ text: 'Let me.' }, { call: 'act', id: 'c1', input: { n: 1 } }] },
      { pieces: [{ call: 'pay', id: 'c2', input: {} }] },
      says('Done.'),
    ]);
    const pay = tool('pay', undefined, { needsApproval: true });
    const agent = await create(store, model, { tools: [tool('act'), pay] });
    const first = await collect(agent.stream('Go.'));
    expect(outline(first.parts)).toEqual([
      'start',
      'start-step',
      'text-start',
      'text-delta',
      'text-end',
      'tool-input-start',
      'tool-input-delta',
      'tool-input-end',
      'tool-call',
      'tool-result',
      'finish-step',
      'start-step',
      'tool-input-start',
      'tool-input-end',
      'tool-call',
      'tool-approval-request',
      'finish',
    ]);
    expect(first.parts.at(-1)).toMatchObject({ status: 'awaiting_approval' });
    expect(first.parts.find(({ type }) => type === 'tool-approval-request')).toMatchObject({
      approvalId: '1',
      toolCall: { toolCallId: 'c2', toolName: 'pay', input: {}, callSeq: 1 },
    });
    await expectStored(store, first.parts);

    await agent.approve('c2');
    const second = await collect(agent.stream());
    expect(outline(second.parts)).toEqual([
      'start',
      'tool-result',
      'finish-step',
      'start-step',
      'text-start',
      'text-delta',
      'text-end',
      'finish-step',
      'finish',
    ]);
    await expectStored(store, second.parts);
    const stored: string[] = [];
    for await (const { event } of store.readEvents('a')) stored.push(event.type);
    expect(stored).toEqual([
      'message',
      'start',
      'message',
      'tool-call',
      'tool-result',
      'message',
      'finish-step',
      'message',
      'tool-call',
      'tool-approval-request',
      'finish',
      'tool-approval-response',
      'start',
      'tool-result',
      'message',
      'finish-step',
      'message',
      'finish-step',
      'finish',
    ]);
  });

  test('a reader who leaves does not stop the turn', async ({ store, provider }) => {
    const read = latch();
    const model = await provider(async (_request, index) => {
      if (index === 1) await read.happened;
      return index === 0 ? asks(['act', 'c1']) : says('Done.');
    });
    const agent = await create(store, model, { tools: [tool('act')] });
    for await (const { type } of agent.stream('Go.')) if (type === 'start') break;
    await model.arrived(1);
    read.happen();
    // A turn that waits behind it begins when it has ended.
    const after = await agent.run(undefined, { whenBusy: 'queue' });
    expect(after).toMatchObject({ status: 'completed', text: 'Done.' });
    expect((await store.loadMessages('a')).at(-1)).toEqual(modelSays('Done.'));
    expect(model.requests).toHaveLength(2);
  });
});

describe.each(KINDS)('%s', (kind) => {
  test('a stream shows what the model writes, piece by piece', async ({ store, provider }) => {
    const pieces = [
      { reasoning: 'Hm, hm.', signature: 'SIG==' },
      { text: 'Good morning.' },
      { call: 'act', id: 'c1', input: { n: 'long enough' } },
    ];
    const model = await provider([{ pieces, chunkSize: 5 }, says('Done.', { chunkSize: 5 })], kind);
    const agent = await create(store, model, { tools: [tool('act')] });
    const { parts } = await collect(agent.stream('Hi'));
    const texts = parts.filter((part) => part.type === 'text-delta').map((part) => part.text);
    expect(texts).toEqual(['Good ', 'morni', 'ng.', 'Done.']);
    const inputs = parts.filter((part) => part.type === 'tool-input-delta');
    expect(JSON.parse(inputs.map((part) => part.delta).join(''))).toEqual({ n: 'long enough' });
    expect(inputs.length).toBeGreaterThan(1);
    expect(new Set(inputs.map((part) => part.id))).toEqual(new Set(['c1']));
    const thoughts = parts.filter((part) => part.type === 'reasoning-delta').map((part) => part.text);
    expect(thoughts.join('')).toBe(kind === 'openai-chat' ? '' : 'Hm, hm.');
    expect(parts.filter(({ type }) => type === 'finish-step')).toMatchObject([
      { stepNumber: 0, finishReason: 'tool-calls' },
      { stepNumber: 1, finishReason: 'stop' },
    ]);
  });
});

test('nobody has to read the stream', async ({ store, provider }) => {
  const model = await provider([says('Hello.')]);
  const agent = await create(store, model);
  agent.stream('Hi');
  await agent.run(undefined, { whenBusy: 'queue' });
  expect(await store.loadMessages('a')).toEqual([userSays('Hi'), modelSays('Hello.')]);
});

test('whoever has read how the turn ended may begin the next one', async ({ store, provider }) => {
  const pay = tool('pay', undefined, { needsApproval: true });
  const model = await provider([asks(['pay', 'c1']), says('Paid.'), says('Good bye.')]);
  const agent = await create(store, model, { tools: [pay] });
  for await (const { type } of agent.stream('Pay.')) if (type === 'finish') break;
  await agent.approve('c1');
  for await (const { type } of agent.stream()) if (type === 'finish') break;
  expect(await agent.send('Bye.')).toBe('Good bye.');
});

test('several readers of one stream share its parts, and all of them see its end', async ({
  store,
  provider,
}) => {
  const model = await provider([says('Hello.')]);
  const agent = await create(store, model);
  const stream = agent.stream('Hi');
  const read = async () => {
    const types: string[] = [];
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return types;
      types.push(value.type);
    }
  };
  const [one, two] = await Promise.all([read(), read()]);
  expect([...one, ...two].filter((type) => type === 'finish')).toEqual(['finish']);
});

test('a stream ends with the turn that failed, after a part that says so', async ({ store, provider }) => {
  const model = await provider([{ status: 500, message: 'Out of order.' }]);
  const agent = await create(store, model);
  const { parts, failure } = await collect(agent.stream('Hi'));
  expect(outline(parts)).toEqual(['start', 'start-step', 'error']);
  expect(parts.at(-1)).toMatchObject({ cursor: 3, error: { code: 'MODEL_FAILED' } });
  expect(failure).toMatchObject({ code: 'MODEL_FAILED' });
  await expectStored(store, parts);
});

test('failures that nobody looks at disturb nobody', async ({ store, provider }) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    const model = await provider([
      { status: 500 },
      says('One two.', { cutAfter: 1 }),
      says('One two.', { chunkSize: 4, hangAfter: 1 }),
      asks(['slow', 'c1']),
    ]);
    const slow = tool('slow', (_input, { signal }) => {
      void agent.interrupt();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const agent = await create(store, model, { tools: [slow] });
    agent.stream('One.');
    agent.stream('Two.', { whenBusy: 'queue' });
    const stop = new AbortController();
    agent.stream('Three.', { whenBusy: 'queue', signal: stop.signal });
    await model.arrived(2);
    stop.abort();
    const last = agent.run('Four.', { whenBusy: 'queue' });
    expect((await last).status).toBe('interrupted');
    agent.stream('');
    await agent.close();
    agent.stream('Closed.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unhandled).toEqual([]);
});
