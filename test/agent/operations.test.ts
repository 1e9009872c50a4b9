import { expect } from 'vitest';
import { ApprovalRequiredError, ModelError, ValidationError } from '../../src/index.ts';
import {
  asks,
  collect,
  create,
  failureOf,
  modelSays,
  onEachStore,
  resume,
  says,
  tool,
  userSays,
} from './harness.ts';

const operationId = 'order-7';

onEachStore(({ test }) => {
  test('an input sent twice under one name is stored once, and its answer given again', async ({
    store,
    provider,
    reopen,
  }) => {
    const model = await provider([says('Hello.'), says('And now?')]);
    const agent = await create(store, model);
    expect(await agent.send('Hi', { operationId })).toBe('Hello.');
    expect(await agent.send('Hi', { operationId })).toBe('Hello.');
    const again = await resume(await reopen(), model);
    expect(await again.run('Hi', { operationId })).toMatchObject({ status: 'completed', text: 'Hello.' });
    expect(model.requests).toHaveLength(1);
    expect(await again.send('Go on.')).toBe('And now?');
    const conversation = [userSays('Hi'), modelSays('Hello.'), userSays('Go on.'), modelSays('And now?')];
    expect(await (await reopen()).loadMessages('a')).toEqual(conversation);
  });

  test('an answer is found behind later turns', async ({ store, provider }) => {
    const model = await provider([
      asks(['act', 'c1']),
      says('Done.'),
      says('Something else.'),
      says('And another thing.'),
    ]);
    const agent = await create(store, model, { tools: [tool('act')] });
    expect(await agent.send('Do it.', { operationId })).toBe('Done.');
    expect(await agent.send('Else?', { operationId: 'order-8' })).toBe('Something else.');
    expect(await agent.send('Do it.', { operationId })).toBe('Done.');
    expect(await agent.send('Else?', { operationId: 'order-8' })).toBe('Something else.');
    expect(model.requests).toHaveLength(3);
    // What is remembered is whole: the next prompt has everything, once.
    expect(await agent.send('More.')).toBe('And another thing.');
    expect(model.requests[3]?.json.messages).toHaveLength(7);
    expect(await store.loadMessages('a')).toHaveLength(8);
  });

  test('an input that was cut off is gone on with', async ({ store, provider, reopen }) => {
    const model = await provider([{ status: 500 }, says('Hel', { cutAfter: 1 }), says('Hello.')]);
    const agent = await create(store, model);
    expect(await failureOf(agent.send('Hi', { operationId }))).toBeInstanceOf(ModelError);
    expect(await failureOf(agent.send('Hi', { operationId }))).toBeInstanceOf(ModelError);
    const again = await resume(await reopen(), model);
    expect(await again.send('Hi', { operationId })).toBe('Hello.');
    const [input, partial, answer, ...rest] = await (await reopen()).loadMessages('a');
    expect([input, answer, rest]).toEqual([userSays('Hi'), modelSays('Hello.'), []]);
    expect(partial).toMatchObject({ metadata: { partial: true } });
    expect(model.requests[2]?.body).toBe(model.requests[0]?.body);
  });

  test('an input that waits for an approval goes on when that is decided', async ({ store, provider }) => {
    const model = await provider([asks(['pay', 'c1']), says('Paid.')]);
    const agent = await create(store, model, { tools: [tool('pay', undefined, { needsApproval: true })] });
    for (let i = 0; i < 2; i += 1) {
      expect(await failureOf(agent.send('Pay.', { operationId }))).toBeInstanceOf(ApprovalRequiredError);
    }
    await agent.approve('c1');
    expect(await agent.send('Pay.', { operationId })).toBe('Paid.');
    expect(await agent.send('Pay.', { operationId })).toBe('Paid.');
    expect(await store.loadMessages('a')).toHaveLength(4);
    expect(model.requests).toHaveLength(2);
  });

  test('the same name for another input is refused', async ({ store, provider }) => {
    const model = await provider([says('Hello.'), says('Fine.')]);
    const agent = await create(store, model);
    await agent.send('Hi', { operationId });
    const failure = await failureOf(agent.send('Good bye', { operationId }));
    expect(failure).toBeInstanceOf(ValidationError);
    expect(failure).toMatchObject({ field: 'operationId' });
    expect(await store.loadMessages('a')).toHaveLength(2);
    expect(await agent.send('Good bye')).toBe('Fine.');
  });

  test('a named turn is streamed like any other', async ({ store, provider }) => {
    const model = await provider([says('Hello.')]);
    const agent = await create(store, model);
    const first = await collect(agent.stream('Hi', { operationId }));
    const types = first.parts.map(({ type }) => type);
    expect([types[0], types.at(-1)]).toEqual(['start', 'finish']);
    expect(first.parts[0]).toMatchObject({ turnId: operationId, cursor: expect.any(Number) });
  });
});
