import assert from 'node:assert/strict';
import { LeaseNotHeldError, LockTimeoutError } from '../errors.ts';
import type { AgentStatus } from '../model/agent.ts';
import type { AgentLease, ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { asks, createAgent, minute, user } from './samples.ts';
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
