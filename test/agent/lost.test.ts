import { describe, expect } from 'vitest';
import {
  Agent,
  LeaseNotHeldError,
  ModelError,
  StoreClosedError,
  StoreUnavailableError,
  ValidationError,
} from '../../src/index.ts';
import type { Store } from '../../src/store/store.ts';
import {
  asks,
  create,
  eventTypes,
  failureOf,
  latch,
  modelAsks,
  modelSays,
  onEachStore,
  recording,
  results,
  resume,
  says,
  states,
  template,
  test,
  tool,
  userSays,
  type World,
  withCommit,
} from './harness.ts';

/** A tool that waits until it is let go or its turn is stopped. */
function gate() {
  const [begun, opened] = [latch<AbortSignal>(), latch()];
  const wait = tool('wait', async (_input, { signal }) => {
    begun.happen(signal);
    await opened.happened;
    return 'waited';
  });
  return { wait, begun: begun.happened, open: () => opened.happen() };
}

onEachStore(({ test, testSql }) => {
  describe('the lease is lost', () => {
    test('while a tool runs: the turn stops, and writes nothing more', async ({
      store,
      another,
      provider,
    }) => {
      const model = await provider([asks(['wait', 'c1']), says('Done.')]);
      const { wait, begun, open } = gate();
      await store.saveInfo('a', { templateId: 'clerk' });
      const lease = await store.acquireAgentLock('a', { ttlMs: 5_000 });
      const options = { store, provider: model.model, template: template({ tools: [wait] }), lease };
      const agent = await Agent.resume('a', options);
      const failed = failureOf(agent.send('Go.'));
      const signal = await begun;
      await lease.release();
      const other = await another();
      const stolen = await other.acquireAgentLock('a');
      expect(await failed).toBeInstanceOf(LeaseNotHeldError);
      expect(signal.aborted).toBe(true);
      open();
      const later = await failureOf(agent.run());
      expect(later).toBeInstanceOf(LeaseNotHeldError);
      expect((later as LeaseNotHeldError).message).toMatch(/Agent\.resume\(\)/);
      expect(await other.loadMessages('a')).toEqual([userSays('Go.'), modelAsks(['wait', 'c1'])]);
      expect(await states(other)).toEqual([['c1', 'executing']]);
      expect(await other.loadInfo('a')).toMatchObject({ status: 'running' });

      const heir = await Agent.resume('a', { ...options, store: other, lease: stolen });
      expect((await heir.run()).text).toBe('Done.');
      expect(await states(other)).toEqual([['c1', 'sealed']]);
    });

    test('while the model answers: nothing of the answer is stored', async ({ store, another, provider }) => {
      const model = await provider([says('One two.', { chunkSize: 4, hangAfter: 1 })]);
      await store.saveInfo('a', { templateId: 'clerk' });
      const lease = await store.acquireAgentLock('a', { ttlMs: 5_000 });
      const agent = await Agent.resume('a', { store, provider: model.model, template: template(), lease });
      const failed = failureOf(agent.send('Go.'));
      await model.arrived(0);
      await lease.release();
      const stolen = await (await another()).acquireAgentLock('a');
      expect(await failed).toBeInstanceOf(LeaseNotHeldError);
      expect(await store.loadMessages('a')).toEqual([userSays('Go.')]);
      await agent.close();
      expect(stolen.signal.aborted).toBe(false);
    });

    testSql('without notice: the store refuses the next write', async ({ store, another, provider }) => {
      const asked = latch();
      const model = await provider(async () => {
        await asked.happened;
        return says('Too late.');
      });
      const agent = await create(store, model);
      const failed = failureOf(agent.send('Go.'));
      await model.arrived(0);
      const other = await another();
      await other.delete('a');
      await other.saveInfo('a', { templateId: 'another-one' });
      asked.happen();
      expect(await failed).toBeInstanceOf(LeaseNotHeldError);
      expect(await other.loadMessages('a')).toEqual([]);
      expect(await other.loadInfo('a')).toMatchObject({ templateId: 'another-one', version: 1 });
    });
  });

  test('the agent is deleted during a turn: the turn fails, and the agent stays away', async ({
    store,
    another,
    provider,
  }) => {
    const model = await provider([asks(['wait', 'c1']), says('Done.')]);
    const { wait, begun, open } = gate();
    const agent = await create(store, model, { tools: [wait] });
    const failed = failureOf(agent.send('Go.'));
    await begun;
    await (await another()).delete('a');
    open();
    expect(await failed).toMatchObject({ code: expect.stringMatching(/^(AGENT_NOT_FOUND|LEASE_NOT_HELD)$/) });
    expect(await store.exists('a')).toBe(false);
    expect(model.requests).toHaveLength(1);
    await agent.close();
  });

  test('the store is closed during a turn: the turn fails, and goes on elsewhere', async ({
    store,
    reopen,
    provider,
  }) => {
    const model = await provider([asks(['wait', 'c1']), says('Done.')]);
    const { wait, begun } = gate();
    const agent = await create(store, model, { tools: [wait] });
    const failed = failureOf(agent.send('Go.'));
    const signal = await begun;
    const reopened = await reopen();
    expect(signal.aborted).toBe(true);
    const failure = await failed;
    expect(failure instanceof StoreClosedError || failure instanceof LeaseNotHeldError).toBe(true);
    expect(await states(reopened)).toEqual([['c1', 'executing']]);
    const heir = await resume(reopened, model, { tools: [wait] });
    expect((await heir.run()).text).toBe('Done.');
  });

  /** The commits of a turn with one call, and what is stored in the end when each of them fails once. */
  const COMMITS = [
    'the input',
    'the answer, and that its call begins',
    "the call's end, and the results",
    'the end',
  ];
  describe.each(COMMITS.map((what, i) => [what, i + 1] as const))('%s is not stored', (_what, failing) => {
    test('and the store says so: the turn goes on from what is there', async (world) => {
      const { stored, calls, runs } = await turnWithFailure(world, failing, 'before');
      // The call had begun, as far as anybody can tell.
      const sealed = failing === 3;
      expect(calls).toEqual([['c1', sealed ? 'sealed' : 'completed']]);
      expect(stored).toEqual(wholeTurn(sealed));
      expect(runs).toBe(1);
    });

    test('as far as anybody knows, but it is: nothing is there twice', async (world) => {
      const { stored, calls, runs } = await turnWithFailure(world, failing, 'after');
      const sealed = failing === 2;
      expect(calls).toEqual([['c1', sealed ? 'sealed' : 'completed']]);
      expect(stored).toEqual(wholeTurn(sealed));
      expect(runs).toBe(sealed ? 0 : 1);
    });
  });
});

test('M2 a commit that is refused for what is in it ends the turn, which is recorded', async ({
  store,
  provider,
}) => {
  const model = await provider([says('Hello.'), says('Again.')]);
  const picky = withCommit(store, (commit, agentId, change) => {
    if (change.usage !== undefined) throw new ValidationError('messages[0]', 'is refused');
    return commit(agentId, change);
  });
  const agent = await create(picky, model);
  expect(await failureOf(agent.send('Hi'))).toBeInstanceOf(ValidationError);
  expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
  expect((await eventTypes(store)).at(-1)).toBe('error');
  await agent.close();
  expect(await (await resume(store, model)).run()).toMatchObject({ status: 'completed', text: 'Again.' });
});

test('M7 a failure that cannot be recorded is told all the same', async ({ store, provider }) => {
  const model = await provider([{ status: 500, message: 'Out of order.' }]);
  const agent = await create(
    withCommit(store, (commit, agentId, change) => {
      if (change.info?.status === 'interrupted') throw new StoreUnavailableError('The connection broke.');
      return commit(agentId, change);
    }),
    model,
  );
  expect(await failureOf(agent.send('Hi'))).toBeInstanceOf(ModelError);
  expect(await store.loadInfo('a')).toMatchObject({ status: 'running' });
});

test('the error of a model is told with the one that kept its answer from being stored', async ({
  store,
  provider,
}) => {
  const cut = says('One two.', { chunkSize: 4, cutAfter: 1 });
  const model = await provider([cut]);
  const agent = await create(
    withCommit(store, (commit, agentId, change) => {
      if (change.usage !== undefined) throw new StoreUnavailableError('The connection broke.');
      return commit(agentId, change);
    }),
    model,
  );
  const failure = await failureOf(agent.send('Hi'));
  expect(failure).toBeInstanceOf(StoreUnavailableError);
  expect((failure as Error).cause).toBeInstanceOf(ModelError);
});

test("an error of another store's that user code passes on ends the turn, which is recorded", async ({
  store,
  provider,
}) => {
  const model = await provider([]);
  const prepareStep = () => {
    throw new StoreUnavailableError('Another store is away.');
  };
  const agent = await create(store, model, { prepareStep });
  expect(await failureOf(agent.send('Hi'))).toBeInstanceOf(StoreUnavailableError);
  expect(await store.loadInfo('a')).toMatchObject({
    status: 'interrupted',
    failure: { code: 'STORE_UNAVAILABLE' },
  });
});

test('an answer without a word is paid for all the same', async ({ store }) => {
  const usage = {
    inputTokens: { total: 7, noCache: 7, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 0, text: 0, reasoning: 0 },
  };
  const model = {
    specificationVersion: 'v3' as const,
    provider: 'mute',
    modelId: 'mute',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('streams only')),
    async doStream() {
      return {
        stream: new ReadableStream({
          start(controller) {
            controller.enqueue({ type: 'stream-start', warnings: [] });
            controller.enqueue({ type: 'error', error: new Error('Out of order.') });
            controller.enqueue({ type: 'finish', finishReason: { unified: 'error', raw: 'error' }, usage });
            controller.close();
          },
        }),
      };
    },
  };
  const watched = recording(store);
  const agent = await create(watched.store, { model });
  expect(await failureOf(agent.send('Hi'))).toBeInstanceOf(ModelError);
  const paid = watched.commits.flatMap((change) => change.usage ?? []);
  expect(paid).toMatchObject([{ model: 'mute', inputTokens: 7 }]);
  expect(await store.loadMessages('a')).toEqual([userSays('Hi')]);
});

test('an input to an agent that died before it said that it waits: it says so now', async ({
  store,
  provider,
}) => {
  const model = await provider([]);
  await store.commit('a', {
    info: { status: 'running' },
    messages: [userSays('Go.'), modelAsks(['pay', 'c1'])],
    toolCalls: [{ toolCallId: 'c1', state: 'approval_required' }],
    expectedVersion: 0,
  });
  const agent = await resume(store, model, { tools: [tool('pay', undefined, { needsApproval: true })] });
  expect(await failureOf(agent.run('More.'))).toMatchObject({ code: 'APPROVAL_REQUIRED' });
  expect(await store.loadInfo('a')).toMatchObject({ status: 'awaiting_approval' });
});

function wholeTurn(sealed: boolean) {
  const result = sealed
    ? results(['c1', expect.stringContaining("isn't known"), true])
    : results(['c1', 'ok']);
  return [userSays('Go.'), modelAsks(['act', 'c1']), result, modelSays('Done.')];
}

/** A turn whose n-th commit fails, before or after it was made. */
async function turnWithFailure({ store, provider }: World, failing: number, when: 'before' | 'after') {
  const model = await provider(({ json }) =>
    JSON.stringify(json.messages).includes('tool_result') ? says('Done.') : asks(['act', 'c1']),
  );
  let runs = 0;
  const act = tool('act', () => {
    runs += 1;
    return 'ok';
  });
  const agent = await create(store, model, { tools: [act] });
  await agent.close();
  const faulty = withFailingCommit(store, failing, when);
  const again = await resume(faulty, model, { tools: [act] });
  expect(await failureOf(again.send('Go.'))).toBeInstanceOf(StoreUnavailableError);
  const isStored = (await store.loadMessages('a')).length > 0;
  const result = await again.run(isStored ? undefined : 'Go.');
  expect(result).toMatchObject({ status: 'completed', text: 'Done.' });
  expect(await store.loadInfo('a')).toMatchObject({ status: 'idle' });
  return { stored: await store.loadMessages('a'), calls: await states(store), runs };
}

/** The store, but its n-th commit fails once. */
function withFailingCommit(store: Store, failing: number, when: 'before' | 'after'): Store {
  let commits = 0;
  return withCommit(store, async (commit, ...args) => {
    commits += 1;
    if (commits !== failing) return commit(...args);
    if (when === 'after') await commit(...args);
    throw new StoreUnavailableError('The connection broke.');
  });
}
