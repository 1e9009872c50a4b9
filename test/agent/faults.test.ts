import { describe, expect } from 'vitest';
import { ModelError } from '../../src/index.ts';
import type { ContentBlock } from '../../src/model/message.ts';
import {
  asks,
  create,
  eventTypes,
  failureOf,
  modelSays,
  says,
  states,
  test,
  tool,
  userSays,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';
import type { StreamedAnswer } from './provider/provider.ts';

/** How an answer may end before it is whole. */
const BREAKS = [
  ['a cut connection', (after: number): Partial<StreamedAnswer> => ({ cutAfter: after })],
  ['an error frame', (after: number): Partial<StreamedAnswer> => ({ errorAfter: after })],
  ['a silent end', (after: number): Partial<StreamedAnswer> => ({ endAfter: after })],
] as const;

describe.each(KINDS)('%s', (kind) => {
  test('a refusal that may pass is tried again with the same request', async ({ store, provider }) => {
    const model = await provider([{ status: 429, retryAfterSeconds: 0 }, says('Hello.')], kind);
    const agent = await create(store, model, { settings: { maxRetries: 1 } });
    expect(await agent.send('Hi')).toBe('Hello.');
    expect(model.requests.map((request) => request.body)).toEqual([
      model.requests[0]?.body,
      model.requests[0]?.body,
    ]);
    expect(await store.loadMessages('a')).toMatchObject([{ role: 'user' }, { role: 'assistant' }]);
  });

  test('a server error ends the turn, and run() asks again', async ({ store, provider }) => {
    const model = await provider([{ status: 500, message: 'Out of order.' }, says('Hello.')], kind);
    const agent = await create(store, model);
    const failure = await failureOf(agent.send('Hi'));
    expect(failure).toBeInstanceOf(ModelError);
    expect(failure).toMatchObject({
      code: 'MODEL_FAILED',
      message: expect.stringContaining('Out of order.'),
      cause: { statusCode: 500 },
    });
    expect(await store.loadMessages('a')).toEqual([userSays('Hi')]);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
    expect(await eventTypes(store)).toEqual(['message', 'start', 'error']);

    expect(await agent.run()).toMatchObject({ status: 'completed', text: 'Hello.' });
    expect(model.requests[1]?.body).toBe(model.requests[0]?.body);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'idle', messageCount: 2 });
  });

  test('an error frame says in the error what the provider said', async ({ store, provider }) => {
    const model = await provider([says('One two three.', { errorAfter: 1 })], kind);
    const agent = await create(store, model);
    expect(await failureOf(agent.send('Count.'))).toMatchObject({
      message: expect.stringMatching(/Overloaded|The server had an error/),
    });
  });

  describe.each(BREAKS)('%s', (_name, broken) => {
    test('in mid-text keeps what had arrived, and asks again without it', async ({ store, provider }) => {
      const first = says('One two three.', { chunkSize: 4, ...broken(2) });
      const model = await provider([first, says('One two three four.')], kind);
      const agent = await create(store, model);
      expect(await failureOf(agent.send('Count.'))).toBeInstanceOf(ModelError);
      const [, partial, ...rest] = await store.loadMessages('a');
      expect(partial).toMatchObject({
        role: 'assistant',
        content: [{ type: 'text', text: 'One two ' }],
        metadata: { partial: true },
      });
      expect(rest).toEqual([]);
      expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });

      expect((await agent.run()).text).toBe('One two three four.');
      expect(model.requests[1]?.body).toBe(model.requests[0]?.body);
      expect((await store.loadMessages('a'))[2]).toMatchObject({
        content: [{ text: 'One two three four.' }],
      });
      expect((await store.loadMessages('a'))[2]?.metadata).toBeUndefined();
    });

    test('in mid-text is what the next input answers to', async ({ store, provider }) => {
      const first = says('One two three.', { chunkSize: 4, ...broken(2) });
      const model = await provider([first, says('Fine.')], kind);
      const agent = await create(store, model);
      await failureOf(agent.send('Count.'));
      expect(await agent.send('Enough.')).toBe('Fine.');
      const { body = '' } = model.requests[1] ?? {};
      expect(body).toContain('One two');
      expect(body.indexOf('Enough.')).toBeGreaterThan(body.indexOf('One two'));
    });

    test('runs no call of the answer, whole or not', async ({ store, provider }) => {
      const pieces = [
        { text: 'Let me.' },
        { call: 'pay', id: 'c1', input: { n: 1 } },
        { call: 'pay', id: 'c2', input: { n: 2, reason: 'x'.repeat(500) } },
      ];
      const model = await provider([{ pieces, chunkSize: 100, ...broken(4) }, says('I gave up.')], kind);
      const paid: unknown[] = [];
      const pay = tool('pay', (input) => paid.push(input));
      const agent = await create(store, model, { tools: [pay] });
      expect(await failureOf(agent.send('Pay.'))).toBeInstanceOf(ModelError);
      expect((await agent.run()).text).toBe('I gave up.');
      expect(paid).toEqual([]);
      expectAnsweredCalls(await store.loadMessages('a'));
      for (const [id, state] of await states(store)) expect([id, state]).toEqual(['c1', 'sealed']);
      expect(model.requests[1]?.body).not.toContain('xxx');
    });

    test('after the last call runs none of them', async ({ store, provider }) => {
      const model = await provider(
        [{ ...asks(['pay', 'c1', { n: 1 }]), ...broken(99) }, says('Done.')],
        kind,
      );
      const paid: unknown[] = [];
      const pay = tool('pay', (input) => paid.push(input));
      const agent = await create(store, model, { tools: [pay] });
      expect(await failureOf(agent.send('Pay.'))).toBeInstanceOf(ModelError);
      expect(paid).toEqual([]);
      expectAnsweredCalls(await store.loadMessages('a'));
      expect((await agent.run()).text).toBe('Done.');
      expect(paid).toEqual([]);
    });
  });
});

test('an answer that breaks off before anything arrived leaves nothing', async ({ store, provider }) => {
  const model = await provider([says('One.', { cutAfter: 0 }), says('One.')]);
  const agent = await create(store, model);
  await failureOf(agent.send('Count.'));
  expect(await store.loadMessages('a')).toEqual([userSays('Count.')]);
  await agent.run();
  expect(await store.loadMessages('a')).toEqual([userSays('Count.'), modelSays('One.')]);
});

test('reasoning that lost its signature does not go back', async ({ store, provider }) => {
  const signed = { reasoning: 'First.', signature: 'SIG==' };
  const broken = { pieces: [signed, { reasoning: 'Second thought.' }], chunkSize: 8, cutAfter: 2 };
  const model = await provider([broken, says('Fine.')]);
  const agent = await create(store, model);
  await failureOf(agent.send('Think.'));
  expect((await store.loadMessages('a'))[1]?.content).toEqual([
    {
      type: 'reasoning',
      reasoning: 'First.',
      providerOptions: { anthropic: { signature: 'SIG==' } },
    },
  ]);
  expect(await agent.send('And now?')).toBe('Fine.');
  expect(model.requests[1]?.body).not.toContain('Second');
});

/** No call in a stored conversation is without its result right after it. */
function expectAnsweredCalls(messages: { content: ContentBlock[] }[]): void {
  for (const [i, { content }] of messages.entries()) {
    const ids = content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    if (ids.length === 0) continue;
    const answers = messages[i + 1]?.content.map((block) =>
      block.type === 'tool_result' ? block.tool_use_id : undefined,
    );
    expect(answers).toEqual(ids);
  }
}
