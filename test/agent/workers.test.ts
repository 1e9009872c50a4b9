import { expect, vi } from 'vitest';
import { Agent } from '../../src/agent/agent.ts';
import type { Tool } from '../../src/agent/tool.ts';
import { StoreUnavailableError } from '../../src/index.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import {
  asks,
  create,
  failureOf,
  onEachStore,
  resume,
  says,
  template,
  tool,
  userSays,
  withCommit,
} from './harness.ts';
import type { TestProvider } from './provider/provider.ts';

const MAX_ATTEMPTS = 3;

/** A worker's round: takes what is there, and goes on with it as well as it can. */
async function work(store: ExtendedStore, { model }: TestProvider, tools: Tool[] = []): Promise<number> {
  const leases = await store.claimResumable({ limit: 10, maxAttempts: MAX_ATTEMPTS });
  for (const lease of leases) {
    const agent = await Agent.resume(lease.agentId, {
      store,
      provider: model,
      template: template({ tools }),
      lease,
    });
    await agent.run().catch(() => undefined);
    await agent.close();
  }
  return leases.length;
}

onEachStore(({ test, testSql }) => {
  testSql('M2 an agent that fails each time is paid for so many times, and says why', async (world) => {
    const { store } = world;
    const model = await world.provider(() => ({ status: 500, message: 'Out of order.' }));
    await store.commit('a', { info: { status: 'running' }, messages: [userSays('Go.')], expectedVersion: 0 });
    await vi.waitFor(
      async () => {
        await work(store, model);
        expect(await store.loadInfo('a')).toMatchObject({ status: 'failed' });
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(model.requests).toHaveLength(MAX_ATTEMPTS);
    const [found, ...others] = await store.querySessions({ status: 'failed' });
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      agentId: 'a',
      attempts: MAX_ATTEMPTS,
      failure: { code: 'MODEL_FAILED', message: expect.stringContaining('Out of order.') },
    });
    expect(await work(store, model)).toBe(0);
  });

  testSql('M2 who goes on by hand begins anew', async (world) => {
    const { store } = world;
    const model = await world.provider([{ status: 500 }, { status: 500 }, says('Fine.')]);
    await store.commit('a', { info: { status: 'running' }, messages: [userSays('Go.')], expectedVersion: 0 });
    expect(await work(store, model)).toBe(1);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted', attempts: 1 });
    const agent = await resume(store, model);
    await failureOf(agent.run());
    expect(await store.loadInfo('a')).toMatchObject({ attempts: 0, failure: { code: 'MODEL_FAILED' } });
    expect((await agent.run()).text).toBe('Fine.');
    const info = await store.loadInfo('a');
    expect(info).toMatchObject({ status: 'idle', attempts: 0 });
    expect(info?.failure).toBeUndefined();
    await agent.close();
  });

  testSql(
    'M2 a turn whose calls end is paid for so many times, if each attempt dies after them',
    async (world) => {
      const store = withCommit(world.store, (commit, agentId, change) => {
        // The process dies with the call that follows: nothing of it is stored, and its lease is free.
        if (change.toolCalls?.some(({ output }) => output === 'dies'))
          throw new StoreUnavailableError('Gone.');
        return commit(agentId, change);
      });
      let steps = 0;
      const model = await world.provider(() => {
        steps += 1;
        const name = ['ends', 'unknown', 'dies'][(steps - 1) % 3] ?? '';
        return asks([name, `c${steps}`]);
      });
      const tools = [tool('ends', () => 'ended'), tool('dies', () => 'dies')];
      await store.commit('a', {
        info: { status: 'running' },
        messages: [userSays('Go.')],
        expectedVersion: 0,
      });
      await vi.waitFor(
        async () => {
          await work(store, model, tools);
          expect(await store.loadInfo('a')).toMatchObject({ status: 'failed' });
        },
        { timeout: 20_000, interval: 100 },
      );
      expect(model.requests).toHaveLength(3 * MAX_ATTEMPTS);
      expect(await store.loadInfo('a')).toMatchObject({ attempts: MAX_ATTEMPTS });
    },
  );

  testSql('M2 an honest turn of many steps takes one attempt', async (world) => {
    const { store } = world;
    let steps = 0;
    const model = await world.provider(() => {
      steps += 1;
      return steps <= 2 * MAX_ATTEMPTS ? asks(['ends', `c${steps}`]) : says('Done.');
    });
    await store.commit('a', { info: { status: 'running' }, messages: [userSays('Go.')], expectedVersion: 0 });
    expect(await work(store, model, [tool('ends')])).toBe(1);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'idle', attempts: 0 });
  });

  test('M2 a failure says why, until the agent makes progress', async ({ store, provider, reopen }) => {
    const model = await provider([{ status: 500, message: 'Out of order.' }, says('Fine.')]);
    const agent = await create(store, model);
    await failureOf(agent.send('Hi'));
    const again = await reopen();
    expect(await again.loadInfo('a')).toMatchObject({
      status: 'interrupted',
      attempts: 0,
      failure: {
        code: 'MODEL_FAILED',
        message: expect.stringContaining('Out of order.'),
        at: expect.any(Date),
      },
    });
    await (await resume(again, model)).run();
    expect((await (await reopen()).loadInfo('a'))?.failure).toBeUndefined();
  });
});
