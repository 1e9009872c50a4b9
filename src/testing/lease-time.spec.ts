import assert from 'node:assert/strict';
import { LeaseNotHeldError, LockTimeoutError } from '../errors.ts';
import type { AgentLease } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { createAgent, user } from './samples.ts';

const TTL = 15_000;
/** How much earlier a holder of such a lease stops than others may begin. */
const MARGIN = 1_500;

/** What leases do as time passes; the clock moves only when the test moves it. */
export function leaseTimeSpec(spec: Spec): void {
  spec.describe('leases, as time passes,', () => {
    renewing(spec);
    endingInTime(spec);
    takingOver(spec);
  });
}

function renewing(spec: Spec): void {
  spec.clocked('L1 are renewed in time, whatever else is taken and released', async ({ clock, store }) => {
    for (const id of ['a', 'b', 'other']) await createAgent(store, id);
    const held = [await store.acquireAgentLock('a'), await store.acquireAgentLock('b', 6_000)];
    for (let second = 0; second < 60; second += 1) {
      const other = await store.acquireAgentLock('other');
      await clock.advance(700);
      await other.release();
      await clock.advance(300);
    }
    for (const lease of held) stillHeld(lease, clock.now());
    await assert.rejects(store.acquireAgentLock('a'), LockTimeoutError);
    for (const lease of held) await store.appendMessages(lease.agentId, [user('x')], { lease });
  });

  spec.clocked('L1 of the most different times are each renewed in time', async ({ clock, store }) => {
    const times = [60, 1_000, TTL, 600_000];
    const held: AgentLease[] = [];
    for (const [n, ttlMs] of times.entries()) {
      await createAgent(store, `a${n}`);
      held.push(await store.acquireAgentLock(`a${n}`, ttlMs));
    }
    for (let n = 0; n < 30; n += 1) await clock.advance(70);
    for (const lease of held) stillHeld(lease, clock.now());
  });

  spec.clocked('are left alone after their release', async ({ clock, store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a');
    await lease.release();
    await clock.advance(2 * TTL);
    const next = await store.acquireAgentLock('a');
    await clock.advance(2 * TTL);
    stillHeld(next, clock.now());
    assert.equal(lease.signal.aborted, true);
  });
}

function stillHeld(lease: AgentLease, now: number): void {
  assert.equal(lease.signal.aborted, false, `the lease of ${lease.agentId}`);
  assert.ok(lease.expiresAt.getTime() > now, `the lease of ${lease.agentId} ends in the future`);
}

function endingInTime(spec: Spec): void {
  spec.clocked('L2 are over for a process that stood still, before its timers run', async (context) => {
    const { clock, store } = context;
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', TTL);
    const any = AbortSignal.any([lease.signal]);
    let heard = 0;
    lease.signal.addEventListener('abort', () => {
      heard += 1;
    });
    await clock.pause(TTL);
    assert.equal(heard, 0);
    assert.equal(lease.signal.aborted, true);
    assert.ok(lease.signal.reason instanceof LeaseNotHeldError);
    assert.throws(() => lease.signal.throwIfAborted(), LeaseNotHeldError);
    assert.equal(heard, 1, 'listeners hear of it at once');
    assert.equal(any.aborted, true);
    await assert.rejects(store.appendMessages('a', [user('x')], { lease }), LeaseNotHeldError);
    await clock.advance(TTL);
    assert.equal(heard, 1);
    await store.acquireAgentLock('a');
  });

  spec.clocked('L2 know from any of their signal’s answers that they are over', async ({ clock, store }) => {
    await createAgent(store, 'a');
    const answers: ((lease: AgentLease) => unknown)[] = [
      (lease) => lease.signal.aborted,
      (lease) => lease.signal.reason instanceof LeaseNotHeldError,
      (lease) => {
        assert.throws(() => lease.signal.throwIfAborted(), LeaseNotHeldError);
        return true;
      },
    ];
    for (const answer of answers) {
      const lease = await store.acquireAgentLock('a', TTL);
      await clock.pause(TTL);
      assert.equal(answer(lease), true);
    }
  });

  spec.clocked('stay a signal like any other', async ({ store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', TTL);
    const reason: unknown = lease.signal.reason;
    assert.equal(reason, undefined);
    assert.ok(lease.signal instanceof AbortSignal);
    lease.signal.throwIfAborted();
    const given = new Promise((resolve) => lease.signal.addEventListener('abort', resolve, { once: true }));
    await lease.release();
    await given;
    assert.ok(lease.signal.reason instanceof LeaseNotHeldError);
  });
}

function takingOver(spec: Spec): void {
  spec.sharedClocked('L2 are over for their holder before another store can have them', async (context) => {
    const { clock, store } = context;
    await createAgent(store, 'a');
    const other = await context.another();
    const lease = await store.acquireAgentLock('a', TTL);
    await clock.pause(TTL - MARGIN - 1);
    assert.equal(lease.signal.aborted, false);
    await clock.pause(1);
    assert.equal(lease.signal.aborted, true);
    await assert.rejects(other.acquireAgentLock('a'), LockTimeoutError);
    await clock.pause(MARGIN);
    const next = await other.acquireAgentLock('a');
    assert.ok(next.token > lease.token);
  });

  spec.sharedClocked(
    'are over when the machine slept, whatever the monotonic clock says',
    async (context) => {
      const { clock, store } = context;
      await createAgent(store, 'a');
      const other = await context.another();
      const lease = await store.acquireAgentLock('a', TTL);
      await clock.suspend(TTL);
      assert.equal(lease.signal.aborted, true);
      await other.acquireAgentLock('a');
    },
  );

  spec.sharedClocked('are over though the wall clock was set back', async (context) => {
    const { clock, store } = context;
    await createAgent(store, 'a');
    const other = await context.another();
    const lease = await store.acquireAgentLock('a', TTL);
    await clock.setWall(clock.now() - 3_600_000);
    const waiting = other.acquireAgentLock('a', { waitMs: 3 * TTL });
    await clock.pause(TTL - MARGIN);
    assert.equal(lease.signal.aborted, true);
    const next = await clock.advanceUntil(waiting, 500);
    assert.ok(next.token > lease.token);
  });

  spec.sharedClocked('are kept from somebody who waits, while they are renewed', async (context) => {
    const { clock, store } = context;
    await createAgent(store, 'a');
    const other = await context.another();
    const lease = await store.acquireAgentLock('a', TTL);
    await clock.setWall(clock.now() - 3_600_000);
    const waiting = other.acquireAgentLock('a', { waitMs: 3 * TTL });
    await assert.rejects(clock.advanceUntil(waiting, 500), LockTimeoutError);
    assert.equal(lease.signal.aborted, false);
    await store.appendMessages('a', [user('x')], { lease });
  });
}
