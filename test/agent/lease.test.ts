import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import {
  Agent,
  AgentNotOpenedError,
  LeaseNotHeldError,
  LockTimeoutError,
  SqliteStore,
} from '../../src/index.ts';
import { withClock } from '../../src/model/clock.ts';
import type { Store } from '../../src/store/store.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { allBackends } from '../support/backends.ts';
import { withoutSqlite } from '../support/environment.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { asks, create, failureOf, latch, onEachStore, resume, says, template, tool } from './harness.ts';
import { startProvider } from './provider/provider.ts';

/** The same store; loading an agent fails as long as `broken` says so. */
function withoutLoading(store: Store, broken: { now: boolean }): Store {
  return new Proxy(store, {
    get(target, name) {
      if (/^load(WorkingSet|Agent)$/.test(String(name)) && broken.now)
        return () => Promise.reject(new Error('the disk is gone'));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

onEachStore(({ test }) => {
  describe('an agent that cannot be opened', () => {
    test('L3 leaves no lease behind, new or not', async ({ store, provider }) => {
      const model = await provider([says('Hello.')]);
      const broken = { now: true };
      const failing = withoutLoading(store, broken);
      await expect(create(failing, model)).rejects.toThrow('the disk is gone');
      await (await store.acquireAgentLock('a')).release();
      await expect(resume(failing, model)).rejects.toThrow('the disk is gone');
      await (await store.acquireAgentLock('a')).release();
      broken.now = false;
      const agent = await resume(failing, model);
      broken.now = true;
      const unopened = await failureOf(agent.fork());
      expect(unopened).toBeInstanceOf(AgentNotOpenedError);
      expect(unopened).toMatchObject({ message: expect.stringContaining('the disk is gone') });
      const { agentId, cause } = unopened as AgentNotOpenedError;
      expect(cause).toMatchObject({ message: 'the disk is gone' });
      await (await store.acquireAgentLock(agentId)).release();
      const unnamed = await failureOf(
        Agent.create({ store: failing, provider: model.model, template: template() }),
      );
      expect(unnamed).toMatchObject({ code: 'AGENT_NOT_OPENED', cause: { message: 'the disk is gone' } });
      expect(await store.list()).toContain((unnamed as AgentNotOpenedError).agentId);
      expect(agent.lease.signal.aborted).toBe(false);
    });

    test('A2 is not made with a lease that could not be had', async ({ store, provider }) => {
      const { model } = await provider([]);
      const options = { store, provider: model, agentId: 'a', template: template(), ttlMs: 1 };
      expect(await failureOf(Agent.create(options))).toMatchObject({ code: 'VALIDATION', field: 'ttlMs' });
      expect(await failureOf(Agent.open('a', options))).toMatchObject({ code: 'VALIDATION' });
      expect(await store.exists('a')).toBe(false);
    });

    test('L3 keeps the lease that its caller brought', async ({ store, provider }) => {
      const model = await provider([]);
      await store.saveInfo('a', {});
      const lease = await store.acquireAgentLock('a');
      const options = { provider: model.model, template: template(), lease };
      const failing = withoutLoading(store, { now: true });
      await expect(Agent.resume('a', { ...options, store: failing })).rejects.toThrow('the disk is gone');
      expect(lease.signal.aborted).toBe(false);
      await Agent.resume('a', { ...options, store });
    });
  });

  describe('an open agent', () => {
    test('L5 has its lease, its status and its info at hand', async ({ store, provider }) => {
      const model = await provider([says('Hello.')]);
      const options = {
        store,
        provider: model.model,
        agentId: 'a',
        template: template(),
        holder: 'worker-7',
      };
      const agent = await Agent.create({ ...options, userId: 'ana', metadata: { plan: 'free' } });
      expect(agent.lease.holder).toMatchObject({ pid: process.pid, name: 'worker-7' });
      expect(agent.status).toBe('idle');
      await agent.send('Hi.');
      expect(agent.status).toBe('idle');
      const { updatedAt, ...info } = agent.info;
      const { updatedAt: stored, ...rest } = (await store.loadInfo('a')) ?? {};
      expect(info).toEqual(rest);
      expect(Math.abs(updatedAt.getTime() - Number(stored))).toBeLessThan(60_000);
      await store.saveTodos('a', { todos: ['by the caller'] }, { lease: agent.lease });
      expect((await store.loadTodos('a'))?.todos).toEqual(['by the caller']);
    });

    test('L5 changes its metadata, which nobody else may', async ({ store, provider }) => {
      const model = await provider([]);
      const agent = await create(store, model);
      const refused = await failureOf(store.saveInfo('a', { metadata: { plan: 'pro' } }));
      expect(refused).toBeInstanceOf(LeaseNotHeldError);
      expect(String(refused)).toMatch(/this process itself holds the lease.*\{ lease \}.*agent\.lease/);
      await agent.setMetadata({ plan: 'pro' });
      expect(agent.info.metadata).toEqual({ plan: 'pro' });
      expect((await store.loadInfo('a'))?.metadata).toEqual({ plan: 'pro' });
      await agent.close();
      expect(await failureOf(agent.setMetadata({}))).toMatchObject({ code: 'AGENT_CLOSED' });
    });

    test('L5 is told of when it is opened a second time', async ({ store, provider }) => {
      const model = await provider([]);
      await create(store, model);
      const refused = await failureOf(resume(store, model));
      expect(refused).toBeInstanceOf(LockTimeoutError);
      expect(String(refused)).toMatch(/leased by this process itself until \d{4}-.*\{ lease \}/);
    });
  });
});

describe('a tool that runs when the lease ends', () => {
  for (const backend of allBackends()) {
    it(`L2 knows from its signal, before any timer runs (${backend.name})`, async () => {
      const database = await backend.create();
      const clock = await database.clock?.();
      if (!clock) throw new Error('the backend has no clock to move');
      const store = await database.open(clock);
      const [begun, seen] = [latch<AbortSignal>(), latch()];
      const provider = await startProvider('anthropic', [asks(['wait', 'c1'])]);
      const wait = tool(
        'wait',
        async (_input, { signal }) => {
          begun.happen(signal);
          await seen.happened;
        },
        { timeoutMs: 600_000 },
      );
      try {
        const agent = await create(store, provider, { tools: [wait] });
        const failed = failureOf(agent.send('Go.'));
        const signal = await begun.happened;
        await clock.pause(15_000);
        expect(signal.aborted).toBe(true);
        seen.happen();
        expect(await failed).toBeInstanceOf(LeaseNotHeldError);
        await agent.close();
      } finally {
        await provider.stop();
        await store.close();
        await database.destroy();
      }
    });
  }

  it.skipIf(withoutSqlite)('L2 hears of it in time while renewals hang', async () => {
    const directory = await makeTemporaryDirectory();
    const path = join(directory, 'agents.db');
    const clock = new MovableClock();
    const store = new SqliteStore(path, undefined, withClock(clock));
    const provider = await startProvider('anthropic', [asks(['wait', 'c1'])]);
    const [begun, heard] = [latch<AbortSignal>(), latch<number>()];
    const wait = tool('wait', async (_input, { signal }) => {
      signal.addEventListener('abort', () => heard.happen(clock.now()));
      begun.happen(signal);
      await heard.happened;
    });
    try {
      const agent = await create(store, provider, { tools: [wait] });
      const failed = failureOf(agent.send('Go.'));
      await begun.happened;
      const other = new Database(path);
      other.exec('BEGIN IMMEDIATE');
      const ends = agent.lease.expiresAt.getTime();
      await clock.advance(15_000, { hangs: true });
      expect(await heard.happened).toBeLessThanOrEqual(ends - 1_500);
      other.exec('ROLLBACK');
      other.close();
      expect(await failed).toBeInstanceOf(LeaseNotHeldError);
      await agent.close();
    } finally {
      await provider.stop();
      await store.close();
      await removeDirectory(directory);
    }
  });
});
