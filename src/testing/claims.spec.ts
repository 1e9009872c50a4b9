import assert from 'node:assert/strict';
import { LeaseNotHeldError, LockTimeoutError } from '../errors.ts';
import type { AgentStatus, TurnCommit } from '../model/agent.ts';
import type { AgentLease, ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { answers, asks, assistant, createAgent, minute, user } from './samples.ts';
import { freeze } from './timing.ts';

async function agentWith(store: Store, agentId: string, status: AgentStatus, minutes = 0): Promise<void> {
  const at = minute(minutes);
  await store.commit(agentId, { info: { status, createdAt: at }, at, expectedVersion: 0 });
}

/** An agent that waits for decisions about these calls. */
async function awaiting(store: Store, agentId: string, ...calls: string[]): Promise<void> {
  await store.commit(agentId, {
    info: { status: 'awaiting_approval' },
    messages: [user('go'), asks(...calls)],
    toolCalls: calls.map((id) => ({ toolCallId: id, state: 'approval_required' })),
    expectedVersion: 0,
  });
}

function idsOf(leases: AgentLease[]): string[] {
  return leases.map((lease) => lease.agentId);
}

export function claimsSpec(spec: Spec): void {
  spec.describe('claimResumable', () => {
    spec.extended('claims what died while running, and nothing else', async (context) => {
      for (const status of ['running', 'idle', 'interrupted'] as const) {
        await agentWith(context.store, status, status);
      }
      const store = await context.reopen();
      assert.deepEqual(idsOf(await store.claimResumable({ limit: 10 })), ['running']);
    });

    spec.extended('claims what waits for approval once all is decided', async (context) => {
      const { store } = context;
      await awaiting(store, 'a', 'x', 'y');
      assert.deepEqual(await store.claimResumable({ limit: 10 }), []);
      await store.decideApproval('a', 'x', { decision: 'allow' });
      assert.deepEqual(await store.claimResumable({ limit: 10 }), []);
      await store.decideApproval('a', 'y', { decision: 'deny' });
      const reopened = await context.reopen();
      assert.deepEqual(idsOf(await reopened.claimResumable({ limit: 10 })), ['a']);
    });

    spec.extended('gives leases that write, and keep others out', async (context) => {
      const { store } = context;
      await agentWith(store, 'a', 'running');
      const [lease = assert.fail('a lease')] = await store.claimResumable({ limit: 1, ttlMs: 5_000 });
      assert.equal(lease.signal.aborted, false);
      await assert.rejects(store.acquireAgentLock('a'), LockTimeoutError);
      await assert.rejects(store.appendMessages('a', [user('x')]), LeaseNotHeldError);
      await store.appendMessages('a', [user('x')], { lease });
      await lease.release();
      assert.deepEqual(await (await context.reopen()).loadMessages('a'), [user('x')]);
    });

    spec.extended('leaves alone what somebody holds, until it is given back', async ({ store }) => {
      await agentWith(store, 'held', 'running', 1);
      await agentWith(store, 'free', 'running', 2);
      const lease = await store.acquireAgentLock('held');
      assert.deepEqual(idsOf(await store.claimResumable({ limit: 10 })), ['free']);
      assert.deepEqual(await store.claimResumable({ limit: 10 }), []);
      await lease.release();
      assert.deepEqual(idsOf(await store.claimResumable({ limit: 10 })), ['held']);
    });

    spec.extended('takes over where a lease ran out', async ({ store }) => {
      await agentWith(store, 'a', 'running');
      const former = await store.acquireAgentLock('a', { ttlMs: 300 });
      freeze(600);
      const [lease = assert.fail('a lease')] = await store.claimResumable({ limit: 1 });
      assert.ok(lease.token > former.token);
      await assert.rejects(store.appendMessages('a', [user('x')], { lease: former }), LeaseNotHeldError);
    });

    spec.extended('begins with what was left alone longest, up to the limit', async (context) => {
      const { store } = context;
      for (let n = 0; n < 5; n += 1) await agentWith(store, `a${n}`, 'running', n);
      await store.commit('a0', { messages: [user('x')], at: minute(10) });
      const reopened = await context.reopen();
      assert.deepEqual(idsOf(await reopened.claimResumable({ limit: 2 })), ['a1', 'a2']);
      assert.deepEqual(idsOf(await reopened.claimResumable({ limit: 10 })), ['a3', 'a4', 'a0']);
    });

    spec.extended('claims again what its worker released without finishing', async (context) => {
      await agentWith(context.store, 'a', 'running');
      await context.store.claimResumable({ limit: 1 });
      const store = await context.reopen();
      const [lease = assert.fail('a lease')] = await store.claimResumable({ limit: 1 });
      await store.saveInfo('a', { status: 'idle' }, { lease });
      await lease.release();
      assert.deepEqual(await store.claimResumable({ limit: 1 }), []);
    });

    spec.extended('finds nothing among agents that are gone', async ({ store }) => {
      await agentWith(store, 'a', 'running');
      await store.delete('a');
      await createAgent(store, 'a');
      assert.deepEqual(await store.claimResumable({ limit: 10 }), []);
    });

    spec.sharedClocked(
      'M2 gives out again later and later what makes no progress, and then no more',
      async (context) => {
        const { clock, store } = context;
        await agentWith(store, 'a', 'running');
        await agentWith(store, 'calm', 'idle');
        const given: number[] = [];
        const start = clock.now();
        for (let second = 0; second < 60; second += 1) {
          const [lease] = await store.claimResumable({ limit: 10 });
          if (lease) {
            given.push(clock.now() - start);
            assert.equal((await store.loadInfo('a'))?.attempts, given.length);
            await lease.release();
          } else await clock.advance(1_000);
        }
        assert.deepEqual(given, [0, 0, 1_000, 3_000, 7_000]);
        const info = await (await context.another()).loadInfo('a');
        assert.equal(info?.status, 'failed');
        assert.equal(info?.attempts, 5);
        assert.equal(info?.failure?.code, 'NO_PROGRESS');
        assert.ok(info?.failure?.at instanceof Date && info.failure.message.includes('maxAttempts'));
        const found = await store.querySessions({ status: 'failed' });
        assert.deepEqual(
          found.map(({ agentId }) => agentId),
          ['a'],
        );
        assert.equal(info?.version, 1);
        assert.deepEqual((await store.checkConsistency()).issues, []);
      },
    );

    spec.sharedClocked('M2 tries again what failed, and keeps the reason', async ({ clock, store }) => {
      await agentWith(store, 'a', 'running');
      const failure = { code: 'MODEL_FAILED', message: 'out of order' };
      for (let n = 1; n <= 2; n += 1) {
        const [lease = assert.fail(`attempt ${n}`)] = await store.claimResumable({
          limit: 1,
          maxAttempts: 2,
        });
        await store.commit('a', { info: { status: 'interrupted', failure }, lease });
        await lease.release();
        const info = await store.loadInfo('a');
        assert.deepEqual(info?.failure, { ...failure, at: new Date(clock.now()) });
        assert.equal(info?.attempts, n);
      }
      assert.deepEqual(await store.claimResumable({ limit: 1, maxAttempts: 2 }), []);
      const info = await store.loadInfo('a');
      assert.equal(info?.status, 'failed');
      assert.equal(info?.failure?.code, 'MODEL_FAILED');
      // What was interrupted otherwise isn't a worker's.
      await agentWith(store, 'b', 'interrupted');
      await store.commit('b', { info: { status: 'interrupted', failure } });
      await clock.advance(3_600_000);
      assert.deepEqual(await store.claimResumable({ limit: 10 }), []);
    });

    spec.extended(
      'M2 forgets the attempts with the end of a turn, and with whoever goes on by hand',
      async ({ store }) => {
        const ends: [string, TurnCommit, number][] = [
          ['an answer', { messages: [assistant('x')] }, 0],
          ['an input', { messages: [user('x')], info: { status: 'running' } }, 0],
          ['a status', { info: { status: 'idle' } }, 0],
          ['a new beginning', { info: { status: 'running', failure: null } }, 0],
          ['a call that ended', { toolCalls: [{ toolCallId: 'c', state: 'completed', output: 1 }] }, 1],
          ['a call that nobody knows', { toolCalls: [{ toolCallId: 'c', state: 'failed', error: 'x' }] }, 1],
          ['a step', { toolCalls: [{ toolCallId: 'c', state: 'completed' }], messages: [answers('c')] }, 1],
          ['a compaction', { compaction: { seq: 1, messages: [user('so far')] } }, 1],
          ['a question to a tool', { messages: [asks('d')] }, 1],
          ['half an answer', { messages: [{ ...assistant('x'), metadata: { partial: true } }] }, 1],
          ['a sealed call', { toolCalls: [{ toolCallId: 'c', state: 'sealed', error: 'x' }] }, 1],
          ['its results', { messages: [answers('c')] }, 1],
          ['to-dos', { todos: { todos: [1] } }, 1],
        ];
        for (const [what, change, attempts] of ends) {
          await store.commit(what, {
            info: { status: 'running' },
            messages: [user('go'), asks('c')],
            expectedVersion: 0,
          });
          const [lease = assert.fail('a lease')] = await store.claimResumable({ limit: 1 });
          await store.commit(what, { ...change, lease });
          assert.equal((await store.loadInfo(what))?.attempts, attempts, what);
          await store.saveInfo(what, { status: 'idle' }, { lease });
          await lease.release();
          assert.equal((await store.loadInfo(what))?.attempts, 0, what);
        }
      },
    );

    spec.shared('shares the work among workers: each agent is claimed once', async (context) => {
      const workers = [context.store, await context.another(), await context.another()];
      for (let n = 0; n < 24; n += 1) await agentWith(context.store, `a${n}`, 'running', n);
      const claimed: string[] = [];
      const work = async (store: ExtendedStore) => {
        for (let idle = 0; idle < 3; ) {
          const leases = await store.claimResumable({ limit: 3 });
          // What others lock at this moment is passed over: an empty answer alone doesn't mean the end.
          idle = leases.length === 0 ? idle + 1 : 0;
          claimed.push(...idsOf(leases));
        }
      };
      await Promise.all(workers.map(work));
      assert.equal(claimed.length, 24);
      assert.equal(new Set(claimed).size, 24);
    });
  });
}
