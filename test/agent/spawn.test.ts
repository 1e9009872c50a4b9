import { expect } from 'vitest';
import { Agent, type AgentTemplate } from '../../src/index.ts';
import {
  asks,
  create,
  latch,
  modelSays,
  onEachStore,
  results,
  resume,
  says,
  states,
  template,
  test,
  tool,
  userSays,
} from './harness.ts';
import type { RecordedRequest } from './provider/provider.ts';

const helper = (rest: Partial<AgentTemplate> = {}) =>
  template({ id: 'helper', systemPrompt: 'You help.', ...rest });

/** A tool that asks a helper, as often as it has to be asked. */
function delegate(given: AgentTemplate) {
  return tool('delegate', (_input, context) => context.spawn(given, 'Count the boxes.'), {
    idempotent: true,
  });
}

function isHelper({ body }: RecordedRequest): boolean {
  return body.includes('You help.');
}

onEachStore(({ test, testSql }) => {
  test('a helper is an agent of its own, whose answer the tool gets', async ({ store, provider }) => {
    const model = await provider([asks(['delegate', 'c1']), says('Seven boxes.'), says('There are seven.')]);
    const agent = await create(store, model, { tools: [delegate(helper())] });
    expect(await agent.send('How many?')).toBe('There are seven.');
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'Seven boxes.']));
    expect(await store.list()).toEqual(['a', 'a.0-0']);
    expect(await store.loadInfo('a.0-0')).toMatchObject({
      templateId: 'helper',
      parentAgentId: 'a',
      parentToolCallId: 'c1',
      status: 'idle',
    });
    expect(await store.loadMessages('a.0-0')).toEqual([
      userSays('Count the boxes.'),
      modelSays('Seven boxes.'),
    ]);
    // It was closed.
    await (await store.acquireAgentLock('a.0-0')).release();
  });

  test('several helpers of one call, with keys, models and metadata of their own', async ({
    store,
    provider,
  }) => {
    const other = await provider(() => says('From the other.'));
    const model = await provider((request) => {
      if (isHelper(request)) return says('From the same.');
      return request.body.includes('tool_result') ? says('Done.') : asks(['fan', 'c1']);
    });
    const fan = tool('fan', (_input, { spawn }) =>
      Promise.all([
        spawn(helper(), 'One.'),
        spawn(helper(), 'Two.', { key: 'second', provider: other.model, metadata: { kind: 'x' } }),
        spawn(helper(), 'Three.'),
      ]),
    );
    const agent = await create(store, model, { tools: [fan] });
    await agent.send('Go.');
    expect((await store.loadMessages('a'))[2]).toEqual(
      results(['c1', ['From the same.', 'From the other.', 'From the same.']]),
    );
    expect(await store.list('a.')).toEqual(['a.0-0', 'a.0-2', 'a.0-second']);
    expect(await store.loadInfo('a.0-second')).toMatchObject({ metadata: { kind: 'x' } });
    expect(other.requests).toHaveLength(1);
  });

  test('a parent that is resumed finds the helper and what it had done', async ({
    store,
    reopen,
    provider,
  }) => {
    const model = await provider((request) => {
      const { body } = request;
      if (!isHelper(request)) return body.includes('tool_result') ? says('Seven.') : asks(['delegate', 'c1']);
      if (body.includes('counted')) return says('Seven boxes.');
      return asks(['count', 'h1']);
    });
    let counts = 0;
    const stuck = latch();
    const count = tool('count', () => {
      counts += 1;
      return 'counted';
    });
    const pause = tool(
      'delegate',
      async (_input, context) => {
        const answer = context.spawn(
          helper({
            tools: [count],
            prepareStep: ({ messages }) => {
              // The process dies when the helper has its first result.
              if (messages.length < 3) return undefined;
              stuck.happen();
              return new Promise(() => undefined);
            },
          }),
          'Count the boxes.',
        );
        return answer;
      },
      { idempotent: true },
    );
    const agent = await create(store, model, { tools: [pause] });
    const lost = agent.run('How many?').catch(() => 'lost');
    await stuck.happened;
    const reopened = await reopen();
    expect(await lost).toBe('lost');
    const again = await resume(reopened, model, { tools: [delegate(helper({ tools: [count] }))] });
    expect((await again.run()).text).toBe('Seven.');
    expect(counts).toBe(1);
    expect(await reopened.list()).toEqual(['a', 'a.0-0']);
    expect(await reopened.loadMessages('a.0-0')).toHaveLength(4);
    expect(await states(reopened, 'a.0-0')).toEqual([['h1', 'completed']]);
  });

  test('a helper that had finished is not asked again', async ({ store, provider }) => {
    const model = await provider([says('Seven boxes.'), says('Seven.')]);
    await store.commit('a', {
      info: { templateId: 'clerk', status: 'running' },
      messages: [userSays('Go.'), { role: 'assistant', content: [use('c1')] }],
      toolCalls: [{ toolCallId: 'c1', state: 'executing' }],
      expectedVersion: 0,
    });
    const before = await Agent.create({
      store,
      provider: model.model,
      agentId: 'a.0-0',
      template: helper(),
    });
    await before.send('Count the boxes.');
    await before.close();
    const agent = await resume(store, model, { tools: [delegate(helper())] });
    expect((await agent.run()).text).toBe('Seven.');
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'Seven boxes.']));
    expect(model.requests).toHaveLength(2);
  });

  test('a call waits while its helper waits for an approval', async ({ store, another, provider }) => {
    const model = await provider((request) => {
      const answered = request.body.includes('tool_result');
      if (isHelper(request)) return answered ? says('Paid.') : asks(['pay', 'h1']);
      return answered ? says('Done.') : asks(['delegate', 'c1']);
    });
    const pay = tool('pay', () => 'receipt', { needsApproval: true });
    const agent = await create(store, model, { tools: [delegate(helper({ tools: [pay] }))] });
    const turn = agent.run('Pay.');
    const office = await another();
    for (;;) {
      const info = await office.loadInfo('a.0-0');
      if (info?.status === 'awaiting_approval') break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await states(office)).toEqual([['c1', 'executing']]);
    await office.decideApproval('a.0-0', 'h1', { decision: 'allow', by: 'ana' });
    expect(await turn).toMatchObject({ status: 'completed', text: 'Done.' });
    expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'Paid.']));
  });

  test('a call waits for decisions on its helper only so long, and the helper goes on waiting', async ({
    store,
    provider,
  }) => {
    const model = await provider((request) => {
      const answered = request.body.includes('tool_result');
      if (isHelper(request)) return answered ? says('Paid.') : asks(['pay', 'h1']);
      return answered ? says('Too late.') : asks(['hurry', 'c1']);
    });
    const pay = tool('pay', () => 'receipt', { needsApproval: true });
    const patient = helper({ tools: [pay] });
    const hurry = tool('hurry', (_input, { spawn }) => spawn(patient, 'Pay.', { decisionWaitMs: 1 }));
    const agent = await create(store, model, { tools: [hurry] });
    expect(await agent.send('Pay.')).toBe('Too late.');
    expect((await store.loadMessages('a'))[2]).toEqual(
      results(['c1', expect.stringMatching(/"a\.0-0" waits for a decision on "pay"/), true]),
    );
    expect(await store.loadInfo('a.0-0')).toMatchObject({ status: 'awaiting_approval' });
    await store.decideApproval('a.0-0', 'h1', { decision: 'allow' });
    const found = await Agent.resume('a.0-0', { store, provider: model.model, template: patient });
    expect((await found.run()).text).toBe('Paid.');
  });

  testSql('helpers are among the sessions, with their parent', async ({ store, provider }) => {
    const model = await provider([asks(['delegate', 'c1']), says('Seven.'), says('Done.')]);
    const agent = await create(store, model, { tools: [delegate(helper())] });
    await agent.send('Go.');
    expect(await store.querySessions({ templateId: 'helper' })).toMatchObject([
      { agentId: 'a.0-0', parentAgentId: 'a', parentToolCallId: 'c1' },
    ]);
  });
});

test('interrupt() stops the helper, too', async ({ store, provider }) => {
  const model = await provider((request) =>
    isHelper(request) ? says('Sev', { hangAfter: 1 }) : asks(['delegate', 'c1']),
  );
  const agent = await create(store, model, { tools: [delegate(helper())] });
  const turn = agent.run('Go.');
  await model.arrived(1);
  await agent.interrupt();
  expect((await turn).status).toBe('interrupted');
  await model.idle();
  expect(model.requests[1]?.closedByClient).toBe(true);
  expect(await states(store)).toEqual([['c1', 'failed']]);
});

test('what goes wrong with a helper fails the call', async ({ store, provider }) => {
  const model = await provider((request) => {
    if (isHelper(request)) return asks(['gone', 'h1']);
    return request.body.includes('tool_result') ? says('I see.') : asks(['delegate', 'c1']);
  });
  const agent = await create(store, model, { tools: [delegate(helper({ maxSteps: 2 }))] });
  expect(await agent.send('Go.')).toBe('I see.');
  expect((await store.loadMessages('a'))[2]).toEqual(
    results(['c1', expect.stringMatching(/a\.0-0.*as many steps/), true]),
  );
});

test('the ids of deep helpers stay short', async ({ store, provider }) => {
  const model = await provider((request) =>
    request.body.includes('tool_result') || request.body.includes('Leaf.')
      ? says('Done.')
      : asks(['deeper', 'c1']),
  );
  const deeper = (depth: number): AgentTemplate =>
    template({
      id: 'deep',
      tools: [
        tool('deeper', (_input, { spawn }) =>
          spawn(depth === 0 ? template({ systemPrompt: 'Leaf.' }) : deeper(depth - 1), 'Go.', {
            key: 'k'.repeat(60),
          }),
        ),
      ],
    });
  const agent = await Agent.create({ store, provider: model.model, agentId: 'a', template: deeper(4) });
  expect(await agent.send('Go.')).toBe('Done.');
  const ids = await store.list();
  expect(ids).toHaveLength(6);
  expect(Math.max(...ids.map((id) => id.length))).toBeLessThanOrEqual(255);
});

function use(id: string) {
  return { type: 'tool_use', id, name: 'delegate', input: {} };
}
