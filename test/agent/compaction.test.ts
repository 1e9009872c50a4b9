import { describe, expect, vi } from 'vitest';
import { ModelError } from '../../src/index.ts';
import {
  asks,
  create,
  eventTypes,
  failureOf,
  modelAsks,
  modelSays,
  onEachStore,
  results,
  resume,
  says,
  test,
  tool,
  userSays,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';
import type { RecordedRequest, StreamedAnswer } from './provider/provider.ts';

const SUMMARY = 'They spoke of numbers.';
const HEADING = 'Summary of the conversation so far:';

/** Tokens in and out: together what the conversation takes up. */
function sized(answer: StreamedAnswer, inputTokens: number, outputTokens = 10): StreamedAnswer {
  return { ...answer, usage: { inputTokens, outputTokens } };
}

/** Answers a request for a summary with one, and others as the list says. */
function script(...answers: (StreamedAnswer | { status: number })[]) {
  let next = 0;
  return ({ body }: RecordedRequest) => (isForSummary(body) ? says(SUMMARY) : (answers[next++] ?? says('?')));
}

function isForSummary(body: string): boolean {
  return body.includes('Summarise this conversation');
}

onEachStore(({ test, testSql }) => {
  test('a conversation that has grown too large is summarised before the next question', async ({
    store,
    provider,
    reopen,
  }) => {
    const model = await provider(
      script(sized(says('One.'), 80), sized(says('Two.'), 95), sized(says('Three.'), 40), says('Four.')),
    );
    const rest = { compactAt: 100 };
    const agent = await create(store, model, rest);
    await agent.send('First?');
    // 90 tokens: below the limit.
    await agent.send('Second?');
    expect(model.requests.map(({ body }) => isForSummary(body))).toEqual([false, false]);
    await agent.close();
    // 105 tokens, and whoever goes on knows it.
    const reopened = await reopen();
    const again = await resume(reopened, model, rest);
    expect(await again.send('Third?')).toBe('Three.');
    expect(model.requests.map(({ body }) => isForSummary(body))).toEqual([false, false, true, false]);
    const [, , summary, third] = model.requests.map(({ body }) => body);
    for (const text of ['First?', 'One.', 'Second?', 'Two.']) expect(summary).toContain(text);
    expect(summary).not.toContain('Third?');
    expect(third).toContain(HEADING);
    expect(third).toContain(SUMMARY);
    expect(third).toContain('Third?');
    expect(third).not.toContain('First?');

    expect(await again.send('Fourth?')).toBe('Four.');
    expect(model.requests).toHaveLength(5);
    expect(model.requests[4]?.body).toContain('Three.');
    expect(await reopened.loadCompactions('a')).toMatchObject([
      { seq: 4, messages: [userSays(`${HEADING}\n\n${SUMMARY}`)] },
    ]);
    const { messages } = await reopened.loadAgent('a');
    expect(messages.map(({ role, content }) => [role, content])).toEqual(
      [
        userSays('First?'),
        modelSays('One.'),
        userSays('Second?'),
        modelSays('Two.'),
        userSays('Third?'),
        modelSays('Three.'),
        userSays('Fourth?'),
        modelSays('Four.'),
      ].map(({ role, content }) => [role, content]),
    );
    expect((await eventTypes(reopened)).filter((type) => type === 'compaction')).toHaveLength(1);
  });

  test('the request after a resume is the same, with a summary in it', async ({
    store,
    provider,
    reopen,
  }) => {
    const answer = script(sized(says('One.'), 200), { status: 500 }, says('Two.'));
    const model = await provider(answer);
    const agent = await create(store, model, { compactAt: 100 });
    await agent.send('First?');
    expect(await failureOf(agent.send('Second?'))).toBeInstanceOf(ModelError);
    const again = await resume(await reopen(), model, { compactAt: 100 });
    expect((await again.run()).text).toBe('Two.');
    expect(model.requests.map(({ body }) => isForSummary(body))).toEqual([false, true, false, false]);
    expect(model.requests[3]?.body).toBe(model.requests[2]?.body);
  });

  test('forks and snapshots from before have everything, those from after the summary', async ({
    store,
    provider,
  }) => {
    const model = await provider(script(says('One.'), says('Two.'), says('Fork.'), says('Other fork.')));
    const agent = await create(store, model);
    await agent.send('First?');
    await agent.snapshot('before');
    await agent.send('Second?');
    await agent.compact();
    const before = await agent.fork({ at: 'before' });
    await before.send('And?');
    const after = await agent.fork();
    await after.send('And?');
    const [fork = '', other = ''] = model.requests.slice(-2).map(({ body }) => body);
    expect(fork).toContain('First?');
    expect(fork).not.toContain(SUMMARY);
    expect(other).not.toContain('First?');
    expect(other).toContain(SUMMARY);
    expect(await store.loadMessages(after.agentId)).toHaveLength(6);
    expect((await store.loadSnapshot('a', 'before'))?.messages).toEqual([
      userSays('First?'),
      modelSays('One.'),
    ]);
  });

  testSql('the tokens of a summary are counted', async ({ store, provider }) => {
    const model = await provider(script(sized(says('One.'), 100, 5)));
    const agent = await create(store, model);
    await agent.send('First?');
    await agent.compact();
    const { tokensByModel } = await store.aggregateStats('a');
    expect(tokensByModel).toEqual({
      'claude-sonnet-4-5': expect.objectContaining({ calls: 2, inputTokens: 110, outputTokens: 10 }),
    });
  });
});

describe.each(KINDS)('%s', (kind) => {
  test('in the middle of a turn: no call loses its result, and the turn goes on', async ({
    store,
    provider,
  }) => {
    const model = await provider(
      script(
        sized(asks(['act', 'c1', { n: 'first' }]), 200),
        sized(asks(['act', 'c2', { n: 'second' }]), 50),
        says('Done.'),
      ),
      kind,
    );
    const agent = await create(store, model, { tools: [tool('act')], compactAt: 100 });
    expect(await agent.send('Go.')).toBe('Done.');
    expect(model.requests.map(({ body }) => isForSummary(body))).toEqual([false, true, false, false]);
    const [, summary = '', second = '', third = ''] = model.requests.map(({ body }) => body);
    expect(summary).toContain('first');
    expect(second).not.toContain('c1');
    expect(third.match(/"c2"/g)).toHaveLength(2);
    expect(await store.loadMessages('a')).toMatchObject([
      userSays('Go.'),
      modelAsks(['act', 'c1', { n: 'first' }]),
      results(['c1', 'first']),
      modelAsks(['act', 'c2', { n: 'second' }]),
      results(['c2', 'second']),
      modelSays('Done.'),
    ]);
    expect(await store.loadCompactions('a')).toMatchObject([{ seq: 3 }]);
  });

  test('a call beside a summary does not run, and nothing of it is stored or shown', async ({
    store,
    provider,
  }) => {
    let ran = 0;
    const act = tool('act', () => {
      ran += 1;
    });
    const pieces = [{ text: SUMMARY }, { call: 'act', id: 'c1', input: {} }];
    const model = await provider([says('One.'), { pieces }, says('Two.')], kind);
    const agent = await create(store, model, { tools: [act] });
    await agent.send('First?');
    expect(await agent.compact()).toEqual({ seq: 2, summary: SUMMARY });
    expect(await store.loadMessages('a')).toHaveLength(2);
    expect(await store.loadToolCallRecords('a')).toEqual([]);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'idle' });
    // What was cached of the conversation serves the summary, too.
    const { tools, system } = model.requests[0]?.json ?? {};
    expect(model.requests[1]?.json).toMatchObject({ tools, ...(system ? { system } : {}) });
    expect(await agent.send('Second?')).toBe('Two.');
    expect(ran).toBe(0);
  });
});

test('what a summary cost that did not come is counted', async ({ store, provider }) => {
  const paid = { inputTokens: 70, outputTokens: 7 };
  const model = await provider([
    sized(says('One.'), 100, 5),
    { pieces: [{ call: 'act', id: 'c1', input: {} }], usage: paid },
    says('Half a sum', { cutAfter: 1, usage: paid }),
    says('Half a sum', { chunkSize: 4, hangAfter: 1 }),
    says('Two.'),
  ]);
  const agent = await create(store, model, { tools: [tool('act')], compactAt: 100 });
  await agent.send('First?');
  const calls = async () => Object.values((await store.aggregateStats('a')).tokensByModel)[0];
  expect(await failureOf(agent.compact())).toBeInstanceOf(ModelError);
  expect(await calls()).toMatchObject({ calls: 2, inputTokens: 170, outputTokens: 12 });
  expect(await failureOf(agent.compact())).toBeInstanceOf(ModelError);
  expect(await calls()).toMatchObject({ calls: 3 });
  const turn = agent.run('Second?');
  await model.arrived(3);
  await vi.waitFor(async () => expect((await store.loadInfo('a'))?.status).toBe('running'));
  await agent.interrupt();
  expect((await turn).status).toBe('interrupted');
  expect(await store.loadCompactions('a')).toEqual([]);
  expect(await store.loadMessages('a')).toHaveLength(3);
});

test('a summary that fails leaves everything as it was', async ({ store, provider }) => {
  const model = await provider([says('One.'), { status: 500 }, { pieces: [] }, says('Two.')]);
  const agent = await create(store, model);
  await agent.send('First?');
  expect(await failureOf(agent.compact())).toBeInstanceOf(ModelError);
  expect(await failureOf(agent.compact())).toMatchObject({ message: expect.stringContaining('no summary') });
  expect(await store.loadCompactions('a')).toEqual([]);
  expect(await store.loadInfo('a')).toMatchObject({ status: 'idle', messageCount: 2 });
  expect(await agent.send('Second?')).toBe('Two.');
  expect(model.requests[3]?.body).toContain('First?');
});

test('a summary that fails before a question: the question is kept, and run() tries again', async ({
  store,
  provider,
}) => {
  let broken = true;
  const model = await provider(({ body }) => {
    if (isForSummary(body)) return broken ? { status: 500 } : says(SUMMARY);
    return sized(says('Fine.'), 200);
  });
  const agent = await create(store, model, { compactAt: 100 });
  await agent.send('First?');
  expect(await failureOf(agent.send('Second?'))).toBeInstanceOf(ModelError);
  expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted', messageCount: 3 });
  broken = false;
  expect(await agent.run()).toMatchObject({ status: 'completed', text: 'Fine.' });
});

test('interrupt() while a summary is made', async ({ store, provider }) => {
  const model = await provider(({ body }, index) =>
    isForSummary(body) && index === 1 ? says(SUMMARY, { hangAfter: 1 }) : says('One.'),
  );
  const agent = await create(store, model);
  await agent.send('First?');
  const compacting = failureOf(agent.compact());
  await model.arrived(1);
  await agent.interrupt();
  expect(await compacting).toMatchObject({ code: 'TURN_INTERRUPTED' });
  expect(await store.loadCompactions('a')).toEqual([]);
  expect(await agent.send('Second?')).toBe('One.');
});

test('a summary is summarised in its turn', async ({ store, provider }) => {
  const model = await provider(script(says('One.'), says('Two.'), says('Three.')));
  const agent = await create(store, model);
  await agent.send('First?');
  await agent.compact();
  await agent.send('Second?');
  expect(await agent.compact()).toMatchObject({ seq: 4 });
  expect(model.requests[3]?.body).toContain(SUMMARY);
  await agent.send('Third?');
  expect(model.requests[4]?.body).not.toContain('Second?');
  expect(await store.loadContext('a')).toEqual([
    userSays(`${HEADING}\n\n${SUMMARY}`),
    userSays('Third?'),
    modelSays('Three.'),
  ]);
});
