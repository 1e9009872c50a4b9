import { describe, expect } from 'vitest';
import { z } from 'zod';
import { Agent, AgentBusyError, AgentClosedError, AgentExistsError, ModelError } from '../../src/index.ts';
import {
  asks,
  create,
  failureOf,
  latch,
  modelAsks,
  modelSays,
  onEachStore,
  recording,
  results,
  resume,
  says,
  template,
  test,
  tool,
  userSays,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';

onEachStore(({ test, testSql }) => {
  test('the input is stored before the model is asked', async ({ store, another, provider }) => {
    const answer = latch();
    const model = await provider(async () => {
      await answer.happened;
      return says('Hello.');
    });
    const agent = await create(store, model);
    const sent = agent.send('Hi');
    await model.arrived(0);
    const onlooker = await another();
    expect(await onlooker.loadMessages('a')).toEqual([userSays('Hi')]);
    expect(await onlooker.loadInfo('a')).toMatchObject({ status: 'running', messageCount: 1 });
    answer.happen();
    expect(await sent).toBe('Hello.');
    // Resolved means stored.
    expect(await onlooker.loadMessages('a')).toEqual([userSays('Hi'), modelSays('Hello.')]);
    expect(await onlooker.loadInfo('a')).toMatchObject({ status: 'idle' });
  });

  test('every step of a turn is a commit of its own', async ({ store, provider }) => {
    const model = await provider([asks(['act', 'c1', { n: 1 }]), says('Done.')]);
    const watched = recording(store);
    const agent = await create(watched.store, model, { tools: [tool('act')] });
    await agent.send('Go.');
    const call = { toolCallId: 'c1', callSeq: 0 };
    expect(
      watched.commits.slice(1).map(({ messages, toolCalls, info }) => ({
        ...(messages?.length ? { messages } : {}),
        ...(toolCalls?.length ? { toolCalls } : {}),
        ...(info ? { info } : {}),
      })),
    ).toEqual([
      { messages: [userSays('Go.')], info: { status: 'running' } },
      { messages: [modelAsks(['act', 'c1', { n: 1 }])], toolCalls: [{ ...call, state: 'executing' }] },
      { messages: [results(['c1', 1])], toolCalls: [{ ...call, state: 'completed', output: 1 }] },
      { messages: [modelSays('Done.')], info: { status: 'idle' } },
    ]);
  });

  test('an agent that exists is not created again', async ({ store, provider }) => {
    const model = await provider([says('Hello.')]);
    const agent = await create(store, model, { id: 'first' });
    await agent.send('Hi');
    const failure = await failureOf(create(store, model, { id: 'second' }));
    expect(failure).toBeInstanceOf(AgentExistsError);
    expect(failure).toMatchObject({ agentId: 'a' });
    expect(await store.loadInfo('a')).toMatchObject({ templateId: 'first', messageCount: 2 });
  });

  test("what create() is given is stored, under an id of its own when it isn't given one", async ({
    store,
    provider,
  }) => {
    const { model } = await provider([]);
    const metadata = { customer: { tier: 'gold' } };
    const agent = await Agent.create({ store, model, template: template(), userId: 'u1', metadata });
    const other = await Agent.create({ store, model, template: template() });
    expect(agent.agentId).not.toBe(other.agentId);
    expect(await store.loadInfo(agent.agentId)).toMatchObject({
      templateId: 'clerk',
      userId: 'u1',
      metadata,
      status: 'idle',
    });
  });

  test('one turn at a time: a second one is refused, or waits', async ({ store, provider }) => {
    const answer = latch();
    const model = await provider(async (_request, index) => {
      await answer.happened;
      return says(`Answer ${index}.`);
    });
    const agent = await create(store, model);
    const first = agent.send('One.');
    expect(await failureOf(agent.send('Two.'))).toBeInstanceOf(AgentBusyError);
    expect(await failureOf(agent.run())).toBeInstanceOf(AgentBusyError);
    expect(await failureOf(agent.compact())).toBeInstanceOf(AgentBusyError);
    const third = agent.send('Three.', { whenBusy: 'queue' });
    const fourth = agent.run('Four.', { whenBusy: 'queue' });
    answer.happen();
    expect(await Promise.all([first, third, fourth.then((result) => result.text)])).toEqual([
      'Answer 0.',
      'Answer 1.',
      'Answer 2.',
    ]);
    expect(await store.loadMessages('a')).toEqual([
      userSays('One.'),
      modelSays('Answer 0.'),
      userSays('Three.'),
      modelSays('Answer 1.'),
      userSays('Four.'),
      modelSays('Answer 2.'),
    ]);
    expect(await agent.send('Five.')).toBe('Answer 3.');
  });

  test('a turn that queues behind one that fails runs', async ({ store, provider }) => {
    const model = await provider([{ status: 500 }, says('Second.')]);
    const agent = await create(store, model);
    const first = failureOf(agent.send('One.'));
    const second = agent.send('Two.', { whenBusy: 'queue' });
    expect(await first).toBeInstanceOf(ModelError);
    expect(await second).toBe('Second.');
  });

  test('closing the store is enough: another process goes on at once', async ({
    store,
    reopen,
    provider,
  }) => {
    const model = await provider([says('Hello.'), says('Welcome back.')]);
    const agent = await Agent.create({ provider: model.model, store, template: template() });
    await agent.send('Hello!');
    await store.close();
    const reopened = await reopen();
    const again = await Agent.resume(agent.agentId, {
      store: reopened,
      provider: model.model,
      template: template(),
    });
    expect(await again.send('Me again.')).toBe('Welcome back.');
    expect(await reopened.loadInfo(agent.agentId)).toMatchObject({ status: 'idle', messageCount: 4 });
  });

  test('close() gives the lease back, and ends the use of the object', async ({ store, provider }) => {
    const model = await provider([says('Hello.'), says('Again.')]);
    const agent = await create(store, model);
    await agent.send('Hi');
    await Promise.all([agent.close(), agent.close()]);
    expect(await failureOf(agent.send('Hi'))).toBeInstanceOf(AgentClosedError);
    expect(await failureOf(agent.run())).toBeInstanceOf(AgentClosedError);
    expect(await failureOf(agent.compact())).toBeInstanceOf(AgentClosedError);
    expect(await failureOf(agent.snapshot())).toBeInstanceOf(AgentClosedError);
    expect(await failureOf(agent.fork())).toBeInstanceOf(AgentClosedError);
    expect(await failureOf(agent.setTodos([]))).toBeInstanceOf(AgentClosedError);
    expect(await failureOf(agent.stream('Hi').next())).toBeInstanceOf(AgentClosedError);
    expect(await store.loadMessages('a')).toHaveLength(2);
    expect(await (await resume(store, model)).send('Hi')).toBe('Again.');
  });

  test('close() interrupts the turn under way and refuses those that wait', async ({ store, provider }) => {
    const model = await provider([says('Hello.', { hangAfter: 1 })]);
    const agent = await create(store, model);
    const first = agent.run('One.');
    const second = failureOf(agent.run('Two.', { whenBusy: 'queue' }));
    await model.arrived(0);
    await agent.close();
    expect((await first).status).toBe('interrupted');
    expect(await second).toBeInstanceOf(AgentClosedError);
    expect((await store.loadMessages('a'))[0]).toEqual(userSays('One.'));
    expect(JSON.stringify(await store.loadMessages('a'))).not.toContain('Two.');
    await (await store.acquireAgentLock('a')).release();
  });

  test('an agent is closed at the end of its scope', async ({ store, provider }) => {
    const model = await provider([says('Hello.')]);
    {
      await using agent = await create(store, model);
      await agent.send('Hi');
    }
    await (await store.acquireAgentLock('a')).release();
  });

  testSql('tokens and times of each step are in the statistics', async ({ store, provider }) => {
    const usage = { inputTokens: 100, cachedTokens: 40, outputTokens: 20, reasoningTokens: 7 };
    const model = await provider([
      { ...asks(['act', 'c1']), usage },
      says('Done.', { usage: { ...usage, inputTokens: 130 } }),
    ]);
    const agent = await create(store, model, { tools: [tool('act')] });
    const result = await agent.run('Go.');
    const totals = { inputTokens: 230, cachedTokens: 80, outputTokens: 40, reasoningTokens: 14 };
    expect(result.usage).toEqual(totals);
    const stats = await store.aggregateStats('a');
    expect(stats.tokensByModel).toEqual({ 'claude-sonnet-4-5': { ...totals, calls: 2 } });
    expect(stats.modelLatencyMs?.p50).toBeGreaterThanOrEqual(0);
    expect(stats).toMatchObject({ totalMessages: 4, totalToolCalls: 1, toolCallsByState: { completed: 1 } });
  });
});

describe.each(KINDS)('%s', (kind) => {
  test('the answer is all of its text, and its tokens are known', async ({ store, provider }) => {
    const usage = { inputTokens: 100, cachedTokens: 40, outputTokens: 20, reasoningTokens: 7 };
    const model = await provider([{ pieces: [{ text: 'One, ' }, { text: 'two.' }], usage }], kind);
    const watched = recording(store);
    const agent = await create(watched.store, model);
    const result = await agent.run('Count.');
    expect(result).toEqual({
      status: 'completed',
      text: 'One, two.',
      finishReason: 'stop',
      approvals: [],
      usage,
    });
    expect(watched.commits.at(-1)?.usage).toEqual([
      {
        model: model.model.modelId,
        ...usage,
        latencyMs: expect.any(Number),
        timeToFirstTokenMs: expect.any(Number),
        configHash: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
    expect(await agent.run()).toMatchObject({ status: 'completed', text: 'One, two.' });
    expect(model.requests).toHaveLength(1);
  });

  test('an input may be blocks, with an image', async ({ store, provider }) => {
    const model = await provider([says('A dot.')], kind);
    const agent = await create(store, model);
    const input = [
      { type: 'text', text: 'What is this?' },
      { type: 'image', base64: 'aW1hZ2U=', mime_type: 'image/png' },
    ];
    expect(await agent.send(input)).toBe('A dot.');
    expect((await store.loadMessages('a'))[0]).toEqual({ role: 'user', content: input });
    expect(model.requests[0]?.body).toContain('What is this?');
    expect(model.requests[0]?.body).toContain('aW1hZ2U=');
    expect(model.requests[0]?.body).toContain('image/png');
  });

  test('an answer may be an object', async ({ store, provider }) => {
    const model = await provider([says('{"city":"Ulm","people":128000}')], kind);
    const agent = await create(store, model);
    const output = z.object({ city: z.string(), people: z.number() });
    const result = await agent.run('Where?', { output });
    expect(result).toMatchObject({ status: 'completed', output: { city: 'Ulm', people: 128_000 } });
    expect(model.requests[0]?.body).toContain('people');
    expect(await store.loadMessages('a')).toMatchObject([
      userSays('Where?'),
      modelSays('{"city":"Ulm","people":128000}'),
    ]);
  });
});

test('an object that its schema refuses is an error, and stays in the conversation as text', async ({
  store,
  provider,
}) => {
  const model = await provider([says('{"city":7}'), says('{"city":"Ulm"}'), says('no JSON')]);
  const agent = await create(store, model);
  const options = { output: z.object({ city: z.string() }) };
  expect(await failureOf(agent.run('Where?', options))).toBeInstanceOf(ModelError);
  expect(await store.loadInfo('a')).toMatchObject({ status: 'idle', messageCount: 2 });
  expect((await agent.run('As text, please.', options)).output).toEqual({ city: 'Ulm' });
  expect(await failureOf(agent.run('And now?', options))).toBeInstanceOf(ModelError);
  expect((await store.loadMessages('a'))[5]).toEqual(modelSays('no JSON'));
});

test('equal templates have equal configuration hashes, others have not', async ({ store, provider }) => {
  const model = await provider(() => says('Hello.'));
  const hashOf = async (agentId: string, rest: Parameters<typeof template>[0]) => {
    const watched = recording(store);
    const options = { provider: model.model, store: watched.store, template: template(rest) };
    const agent = await Agent.create({ ...options, agentId });
    await agent.send('Hi');
    await agent.close();
    const again = await Agent.resume(agentId, options);
    await again.send('Hi');
    const hashes = watched.commits.flatMap(({ usage = [] }) => usage.map((one) => one.configHash));
    expect(hashes).toHaveLength(2);
    expect(hashes[1]).toBe(hashes[0]);
    return hashes[0];
  };
  const act = () => tool('act', undefined, { description: 'Acts.' });
  const base = { tools: [act()], settings: { temperature: 0.5, maxOutputTokens: 10 } };
  const hashes = [
    await hashOf('base', base),
    await hashOf('same', { tools: [act()], settings: { maxOutputTokens: 10, temperature: 0.5 } }),
    await hashOf('prompt', { ...base, systemPrompt: 'Be long.' }),
    await hashOf('settings', { ...base, settings: { temperature: 0.6, maxOutputTokens: 10 } }),
    await hashOf('tools', { ...base, tools: [tool('act', undefined, { description: 'Acts not.' })] }),
  ];
  expect(hashes[1]).toBe(hashes[0]);
  expect(new Set(hashes).size).toBe(4);
});
