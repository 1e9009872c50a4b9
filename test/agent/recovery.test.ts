import { describe, expect } from 'vitest';
import { Agent, LockTimeoutError, type ToolCallState, ValidationError } from '../../src/index.ts';
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
  results,
  resume,
  says,
  states,
  template,
  tool,
  userSays,
} from './harness.ts';

const UNKNOWN =
  "The process that ran act ended before the call did. It isn't known whether the call took effect.";

/** What a process left behind that died in the middle of a step: its calls, `[id, state]`, all of the tool `act`. */
async function died(store: Store, ...calls: [id: string, state: ToolCallState][]): Promise<void> {
  await store.commit('a', {
    info: { templateId: 'clerk', status: 'running' },
    messages: [
      userSays('Go.'),
      modelAsks(...calls.map(([id], n): [string, string, unknown] => ['act', id, { n }])),
    ],
    expectedVersion: 0,
  });
  for (const [callSeq, [toolCallId, state]] of calls.entries()) {
    const output = state === 'completed' ? { output: `stored ${callSeq}` } : {};
    if (state !== 'pending')
      await store.commit('a', { toolCalls: [{ toolCallId, callSeq, state, ...output }] });
  }
}

/** The tool `act`, and the keys of the calls that it ran. */
function actor(rest: Parameters<typeof tool>[2] = {}) {
  const keys: string[] = [];
  const act = tool('act', (_input, { idempotencyKey }) => `run ${keys.push(idempotencyKey)}`, rest);
  return { keys, act };
}

onEachStore(({ test, testSql }) => {
  describe('resume()', () => {
    test('seals a call that had begun, and its results let the model know', async ({ store, provider }) => {
      const model = await provider([says('I see.')]);
      await died(store, ['c1', 'executing'], ['c2', 'completed']);
      const { act, keys } = actor();
      const agent = await resume(store, model, { tools: [act] });
      expect(await store.loadToolCallRecords('a')).toMatchObject([
        { state: 'sealed', isError: true, error: UNKNOWN },
        { state: 'completed', output: 'stored 1' },
      ]);
      expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', UNKNOWN, true], ['c2', 'stored 1']));
      expect(await eventTypes(store)).toEqual(['recovered', 'message', 'finish-step']);
      expect(model.requests).toEqual([]);
      expect(await agent.run()).toMatchObject({ status: 'completed', text: 'I see.' });
      expect(model.requests[0]?.body).toContain('known whether the call took effect');
      expect(keys).toEqual([]);
    });

    test('leaves a call that may run again to run(), with the same key', async ({ store, provider }) => {
      const model = await provider([says('Done.')]);
      await died(store, ['c1', 'completed'], ['c2', 'executing']);
      const { act, keys } = actor({ idempotent: true });
      const agent = await resume(store, model, { tools: [act] });
      expect(await states(store)).toEqual([
        ['c1', 'completed'],
        ['c2', 'executing'],
      ]);
      expect([keys, model.requests]).toEqual([[], []]);
      expect((await agent.run()).text).toBe('Done.');
      expect(keys).toEqual(['a:1']);
      expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'stored 0'], ['c2', 'run 1']));
      const events: unknown[] = [];
      for await (const { event } of store.readEvents('a')) events.push(event);
      expect(events).toContainEqual({ channel: 'monitor', type: 'recovered', sealed: [], again: [1] });
    });

    test('measures the run that ended, not the time since the one that was cut off', async (world) => {
      const { store, provider } = world;
      const model = await provider([says('Done.')]);
      await died(store, ['c1', 'pending'], ['c2', 'pending'], ['c3', 'completed']);
      const startedAt = new Date(Date.now() - 3_600_000);
      const began = ['c1', 'c2'].map((toolCallId, callSeq) => ({
        ...{ toolCallId, callSeq, state: 'executing' as const, startedAt },
      }));
      await store.commit('a', { toolCalls: began });
      const act = tool(
        'act',
        (input) => {
          if ((input as { n: number }).n === 1) throw new Error('No.');
          return 'ok';
        },
        { idempotent: true },
      );
      const agent = await resume(store, model, { tools: [act] });
      expect((await agent.run()).text).toBe('Done.');
      const records = await store.loadToolCallRecords('a');
      expect(records.map(({ state }) => state)).toEqual(['completed', 'failed', 'completed']);
      for (const { startedAt: first, durationMs } of records.slice(0, 2)) {
        expect(first).toEqual(startedAt);
        expect(durationMs).toBeLessThan(1_800_000);
      }
    });

    test('keeps what waits waiting, and runs what may run only in run()', async ({ store, provider }) => {
      const model = await provider([says('Done.')]);
      await died(
        store,
        ['c1', 'pending'],
        ['c2', 'executing'],
        ['c3', 'approved'],
        ['c4', 'approval_required'],
        ['c5', 'completed'],
      );
      const { act, keys } = actor();
      const agent = await resume(store, model, { tools: [act] });
      expect((await states(store)).map(([, state]) => state)).toEqual([
        'pending',
        'sealed',
        'approved',
        'approval_required',
        'completed',
      ]);
      expect(keys).toEqual([]);
      expect(await agent.pendingApprovals()).toMatchObject([{ toolCallId: 'c4' }]);
      expect((await agent.run()).status).toBe('awaiting_approval');
      expect(keys).toEqual(['a:0', 'a:2']);
      await agent.approve('c4');
      expect((await agent.run()).text).toBe('Done.');
      expect((await store.loadMessages('a'))[2]).toEqual(
        results(['c1', 'run 1'], ['c2', UNKNOWN, true], ['c3', 'run 2'], ['c4', 'run 3'], ['c5', 'stored 4']),
      );
      expect(model.requests).toHaveLength(1);
    });

    test('asks for approval of a call of which nobody had judged', async ({ store, provider }) => {
      const model = await provider([says('Done.')]);
      await died(store, ['c1', 'pending'], ['c2', 'approved']);
      const { act, keys } = actor({ needsApproval: true });
      const agent = await resume(store, model, { tools: [act] });
      expect(await agent.run()).toMatchObject({
        status: 'awaiting_approval',
        approvals: [{ toolCallId: 'c1' }],
      });
      expect(keys).toEqual(['a:1']);
      await agent.deny('c1');
      expect((await agent.run()).text).toBe('Done.');
      expect(keys).toEqual(['a:1']);
    });

    test('with a template that no longer has the tool', async ({ store, provider }) => {
      const model = await provider([says('I see.')]);
      await died(store, ['c1', 'pending'], ['c2', 'approved'], ['c3', 'executing']);
      const agent = await resume(store, model);
      expect((await agent.run()).text).toBe('I see.');
      expect((await states(store)).map(([, state]) => state)).toEqual(['failed', 'failed', 'sealed']);
      expect((await store.loadMessages('a'))[2]).toEqual(
        results(
          ['c1', 'There is no tool named "act".', true],
          ['c2', 'There is no tool named "act".', true],
          ['c3', UNKNOWN, true],
        ),
      );
    });

    test('stores the results of a step whose calls had all ended', async ({ store, provider }) => {
      const model = await provider([says('Done.')]);
      await died(store, ['c1', 'completed'], ['c2', 'completed']);
      const { act, keys } = actor();
      const agent = await resume(store, model, { tools: [act] });
      expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'stored 0'], ['c2', 'stored 1']));
      expect((await agent.run()).text).toBe('Done.');
      expect(keys).toEqual([]);
    });

    test('writes nothing when there is nothing to put in order', async ({ store, provider }) => {
      const model = await provider([says('Hello.')]);
      const agent = await create(store, model);
      await agent.send('Hi');
      await agent.close();
      const before = await store.loadInfo('a');
      await (await resume(store, model)).close();
      expect(await store.loadInfo('a')).toEqual(before);
      expect(model.requests).toHaveLength(1);
    });

    test('a new input after a crash: the open calls come first', async ({ store, provider }) => {
      const model = await provider([says('Done.')]);
      await died(store, ['c1', 'pending']);
      const agent = await resume(store, model, { tools: [actor().act] });
      expect(await agent.send('Hello?')).toBe('Done.');
      expect((await store.loadMessages('a')).slice(2)).toEqual([
        results(['c1', 'run 1']),
        userSays('Hello?'),
        modelSays('Done.'),
      ]);
    });

    test('chooses the template by what is stored', async ({ store, provider }) => {
      const model = await provider([says('Hello.')]);
      await (await create(store, model, { id: 'refunds' })).close();
      const seen: unknown[] = [];
      const agent = await Agent.resume('a', {
        store,
        model: model.model,
        template: (info) => {
          seen.push(info.templateId, info.agentId);
          return template({ id: info.templateId, systemPrompt: `You do ${info.templateId}.` });
        },
      });
      await agent.send('Hi');
      expect(seen).toEqual(['refunds', 'a']);
      expect(model.requests[0]?.body).toContain('You do refunds.');
    });
  });

  describe('one writer', () => {
    test('a second resume fails at once, or waits as long as it is told', async ({
      store,
      another,
      provider,
    }) => {
      const model = await provider([says('Hello.')]);
      const agent = await create(store, model);
      const options = { store: await another(), provider: model.model, template: template() };
      const failure = await failureOf(Agent.resume('a', options));
      expect(failure).toBeInstanceOf(LockTimeoutError);
      expect(failure).toMatchObject({ agentId: 'a' });
      const second = Agent.resume('a', { ...options, waitMs: 20_000 });
      await agent.close();
      expect(await (await second).send('Hi')).toBe('Hello.');
      // The one that failed took nothing with it.
      expect(await store.loadInfo('a')).toMatchObject({ status: 'idle', messageCount: 2 });
    });

    test('a process that hangs in a turn keeps the agent to itself', async ({ store, another, provider }) => {
      const model = await provider([asks(['act', 'c1']), says('Done.')]);
      const [begun, end] = [latch(), latch()];
      const act = tool('act', async () => {
        begun.happen();
        await end.happened;
        return 'ok';
      });
      const agent = await create(store, model, { tools: [act] });
      const turn = agent.run('Go.');
      await begun.happened;
      const options = { store: await another(), provider: model.model, template: template({ tools: [act] }) };
      expect(await failureOf(Agent.resume('a', options))).toBeInstanceOf(LockTimeoutError);
      expect(await states(store)).toEqual([['c1', 'executing']]);
      end.happen();
      expect((await turn).status).toBe('completed');
    });
  });

  describe('open()', () => {
    test('creates the agent, and later finds it again', async ({ store, provider, reopen }) => {
      const model = await provider([says('Hello.')]);
      const options = { provider: model.model, template: template(), userId: 'u1', metadata: { tier: 1 } };
      const first = await Agent.open('a', { ...options, store });
      expect(await first.send('Hi')).toBe('Hello.');
      const reopened = await reopen();
      const second = await Agent.open('a', { ...options, store: reopened, userId: 'u2', metadata: {} });
      expect((await second.run()).text).toBe('Hello.');
      expect(await reopened.loadInfo('a')).toMatchObject({
        userId: 'u1',
        metadata: { tier: 1 },
        messageCount: 2,
      });
    });

    test('of two at once, one creates the agent and both use it in turn', async ({
      store,
      another,
      provider,
    }) => {
      const model = await provider(() => says('Hello.'));
      const options = { provider: model.model, template: template(), waitMs: 20_000 };
      const stores = [store, await another()];
      await Promise.all(
        stores.map(async (one) => {
          const agent = await Agent.open('a', { ...options, store: one });
          await agent.send('Hi');
          await agent.close();
        }),
      );
      expect(await store.loadMessages('a')).toEqual([
        userSays('Hi'),
        modelSays('Hello.'),
        userSays('Hi'),
        modelSays('Hello.'),
      ]);
    });

    test('cannot choose the template of a new agent by what is stored', async ({ store, provider }) => {
      const { model } = await provider([]);
      const options = { store, provider: model, template: () => template() };
      expect(await failureOf(Agent.open('a', options))).toBeInstanceOf(ValidationError);
      expect(await store.exists('a')).toBe(false);
    });
  });

  testSql('a worker picks up what died', async ({ store, another, provider }) => {
    const model = await provider([says('Done.')]);
    await died(store, ['c1', 'pending']);
    const office = await another();
    const [lease] = await office.claimResumable({ limit: 1 });
    if (!lease) throw new Error('Nothing was claimed.');
    expect(await store.claimResumable({ limit: 1 })).toEqual([]);
    const { act, keys } = actor();
    const options = { store: office, provider: model.model, template: template({ tools: [act] }), lease };
    const agent = await Agent.resume(lease.agentId, options);
    expect((await agent.run()).text).toBe('Done.');
    await agent.close();
    expect(keys).toEqual(['a:0']);
    expect(await store.claimResumable({ limit: 1 })).toEqual([]);
    await (await store.acquireAgentLock('a')).release();
  });
});
