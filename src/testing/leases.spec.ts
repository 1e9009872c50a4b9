import assert from 'node:assert/strict';
import { AgentNotFoundError, LeaseNotHeldError, LockTimeoutError } from '../errors.ts';
import type { LeaseToken } from '../model/agent.ts';
import type { Store, WriteOptions } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { asks, conversation, createAgent, progress, refused, user } from './samples.ts';
import { freeze, outcomes, pause } from './timing.ts';

/** Short enough to wait for, long enough for a slow machine not to lose it between two statements. */
const SHORT = 300;

/** Every way of writing state; each must be refused without the lease. */
const WRITES: Record<string, (store: Store, id: string, options: WriteOptions) => Promise<unknown>> = {
  'commit of messages': (store, id, options) => store.commit(id, { messages: [user('x')], ...options }),
  'commit of tool calls': (store, id, options) =>
    store.commit(id, { toolCalls: [{ toolCallId: 'a', toolName: 'search', input: {} }], ...options }),
  'commit of todos': (store, id, options) => store.commit(id, { todos: { todos: [] }, ...options }),
  'commit of usage': (store, id, options) => store.commit(id, { usage: [{ model: 'm' }], ...options }),
  'commit of info': (store, id, options) => store.commit(id, { info: { status: 'running' }, ...options }),
  saveInfo: (store, id, options) => store.saveInfo(id, { status: 'running' }, options),
  saveMessages: (store, id, options) => store.saveMessages(id, conversation(3), options),
  appendMessages: (store, id, options) => store.appendMessages(id, [user('x')], options),
  saveToolCallRecords: (store, id, options) =>
    store.saveToolCallRecords(id, [{ toolCallId: 'b', toolName: 'search', input: {} }], options),
  saveTodos: (store, id, options) => store.saveTodos(id, { todos: ['x'] }, options),
  saveSnapshot: (store, id, options) => store.saveSnapshot(id, { id: 'snap' }, options),
  saveDocument: (store, id, options) =>
    store.saveDocument(id, { kind: 'media-cache', name: 'n', content: 1 }, options),
};

async function everyWriteIsRefused(store: Store, id: string, lease?: LeaseToken): Promise<void> {
  for (const [name, write] of Object.entries(WRITES)) {
    await assert.rejects(write(store, id, { lease }), LeaseNotHeldError, name);
  }
}

export function leasesSpec(spec: Spec): void {
  spec.describe('leases', () => {
    acquiring(spec);
    writing(spec);
    runningOut(spec);
    givingBack(spec);
    naming(spec);
    severalStores(spec);
  });
}

function acquiring(spec: Spec): void {
  spec.test('have one holder: the second caller is told at once', async ({ store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a');
    assert.equal(lease.agentId, 'a');
    assert.ok(lease.expiresAt instanceof Date && lease.expiresAt.getTime() > Date.now());
    assert.equal(lease.signal.aborted, false);
    await assert.rejects(store.acquireAgentLock('a'), LockTimeoutError);
  });

  spec.test('are waited for as long as waitMs says', async ({ store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a');
    const start = performance.now();
    await assert.rejects(store.acquireAgentLock('a', { waitMs: 200 }), LockTimeoutError);
    assert.ok(performance.now() - start >= 190, 'gave up early');

    const waiting = store.acquireAgentLock('a', { waitMs: 10_000 });
    await pause(50);
    await lease.release();
    assert.ok((await waiting).token > lease.token);
  });

  spec.test('take a number as their time to live', async ({ store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', SHORT);
    assert.ok(lease.expiresAt.getTime() - Date.now() <= SHORT + 50);
    freeze(2 * SHORT);
    assert.ok((await store.acquireAgentLock('a', SHORT)).token > lease.token);
  });

  spec.test('are had for agents that exist', async ({ store }) => {
    await assert.rejects(store.acquireAgentLock('a'), AgentNotFoundError);
    await assert.rejects(store.acquireAgentLock('a', { waitMs: 100 }), AgentNotFoundError);
  });

  spec.test('are had for ten agents at once, all of which can be written to', async (context) => {
    const { store } = context;
    const ids = Array.from({ length: 10 }, (_, n) => `a${n}`);
    for (const id of ids) await createAgent(store, id);
    const leases = await Promise.all(ids.map((id) => store.acquireAgentLock(id)));
    await Promise.all(leases.map((lease) => store.commit(lease.agentId, { messages: [user('x')], lease })));
    await store.appendEvent('a0', progress('x'));
    const reopened = await context.reopen();
    for (const id of ids) assert.equal((await reopened.loadMessages(id)).length, 1);
  });
}

function writing(spec: Spec): void {
  spec.test(
    'must be passed with every write of state, also by the store that holds them',
    async (context) => {
      await createAgent(context.store, 'a', conversation(2));
      await context.store.saveDocument('a', { kind: 'compression', name: 'c', content: 1 });
      await context.store.acquireAgentLock('a');
      await everyWriteIsRefused(context.store, 'a');
      await assert.rejects(context.store.deleteDocument('a', 'compression', 'c'), LeaseNotHeldError);
      const store = await context.reopen();
      assert.equal((await store.loadInfo('a'))?.version, 2);
      assert.deepEqual(await store.loadMessages('a'), conversation(2));
      assert.equal((await store.loadDocument('a', 'compression', 'c'))?.content, 1);
    },
  );

  spec.test('let their holder make every write', async (context) => {
    await createAgent(context.store, 'a');
    const lease = await context.store.acquireAgentLock('a');
    for (const write of Object.values(WRITES)) await write(context.store, 'a', { lease });
    await context.store.deleteDocument('a', 'media-cache', 'n', { lease });
    const store = await context.reopen();
    assert.equal((await store.loadInfo('a'))?.version, 2 + Object.keys(WRITES).length);
    assert.deepEqual((await store.loadTodos('a'))?.todos, ['x']);
    assert.equal(await store.loadDocument('a', 'media-cache', 'n'), undefined);
  });

  spec.test('are known by their token: its plain values are enough to write', async (context) => {
    await createAgent(context.store, 'a');
    const { agentId, token, holderId } = await context.store.acquireAgentLock('a');
    await context.store.appendMessages('a', [user('x')], { lease: { agentId, token, holderId } });
    const forged = { agentId, token, holderId: `${holderId}x` };
    await assert.rejects(
      context.store.appendMessages('a', [user('y')], { lease: forged }),
      LeaseNotHeldError,
    );
    assert.deepEqual(await (await context.reopen()).loadMessages('a'), [user('x')]);
  });

  spec.test('are for one agent', async ({ store }) => {
    await createAgent(store, 'a');
    await createAgent(store, 'b');
    const lease = await store.acquireAgentLock('a');
    await refused(store.commit('b', { messages: [user('x')], lease }), 'lease');
    assert.deepEqual(await store.loadMessages('b'), []);
  });

  spec.test("aren't needed by events, streamed text, decisions, readers and forks", async (context) => {
    const { store } = context;
    await createAgent(store, 'a', [asks('call')]);
    await store.saveToolCallRecords('a', [{ toolCallId: 'call', state: 'approval_required' }]);
    await store.acquireAgentLock('a');
    assert.equal(await store.appendEvent('a', progress('x')), 1);
    assert.equal((await store.commit('a', { events: [progress('y')] })).cursor, 2);
    await store.saveDelta('a', { text: 'x' });
    await store.decideApproval('a', 'call', { decision: 'allow' });
    assert.equal((await store.loadAgent('a')).messages.length, 1);
    const fork = await store.fork('a');
    await store.appendMessages(fork, [user('a fork starts without a lease')]);
    assert.equal((await (await context.reopen()).loadMessages(fork)).length, 2);
  });
}

function runningOut(spec: Spec): void {
  const LONG = 1_000;
  // In real time: the process's own timers have to do it.
  spec.test(
    'are renewed while they are held, past their time to live',
    async (context) => {
      await createAgent(context.store, 'a');
      const lease = await context.store.acquireAgentLock('a', { ttlMs: LONG });
      const first = lease.expiresAt.getTime();
      await pause(1.2 * LONG);
      assert.ok(lease.expiresAt.getTime() > first);
      assert.equal(lease.signal.aborted, false);
      await assert.rejects(context.store.acquireAgentLock('a'), LockTimeoutError);
      await context.store.appendMessages('a', [user('still here')], { lease });
      assert.equal((await (await context.reopen()).loadMessages('a')).length, 1);
    },
    20_000,
  );

  spec.clocked("can't write any more, even if nobody took over", async (context) => {
    await createAgent(context.store, 'a', conversation(2));
    const lease = await context.store.acquireAgentLock('a', { ttlMs: SHORT });
    await context.clock.pause(SHORT);
    await everyWriteIsRefused(context.store, 'a', lease);
    assert.equal(lease.signal.aborted, true);
    await context.store.appendMessages('a', [user('without a lease')]);
    const messages = await (await context.reopen()).loadMessages('a');
    assert.deepEqual(messages, [...conversation(2), user('without a lease')]);
  });

  spec.clocked('are taken over, and the former holder neither writes nor releases', async (context) => {
    const { clock, store } = context;
    await createAgent(store, 'a');
    const former = await store.acquireAgentLock('a', { ttlMs: SHORT });
    await clock.pause(SHORT);
    const holder = await store.acquireAgentLock('a');
    assert.ok(holder.token > former.token);
    await everyWriteIsRefused(store, 'a', former);
    await outcomes([former.release()]);
    assert.equal(holder.signal.aborted, false);
    await assert.rejects(store.acquireAgentLock('a'), LockTimeoutError);
    await store.appendMessages('a', [user('by the holder')], { lease: holder });
    assert.deepEqual(await (await context.reopen()).loadMessages('a'), [user('by the holder')]);
  });

  spec.clocked('stay lost after a write that was refused', async ({ clock, store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', { ttlMs: SHORT });
    await clock.pause(SHORT);
    // A refused commit is rolled back; what it found out must hold for the next one too.
    for (let n = 0; n < 3; n += 1) {
      await assert.rejects(store.commit('a', { messages: [user('x')], lease }), LeaseNotHeldError);
    }
    assert.equal((await store.loadInfo('a'))?.version, 1);
  });

  spec.test('end with their agent: one created anew revives none', async (context) => {
    const { store } = context;
    await createAgent(store, 'a');
    await createAgent(store, 'b');
    const lease = await store.acquireAgentLock('a');
    const other = await store.acquireAgentLock('b');
    await store.delete('a');
    // The store that deleted it needn't wait for a renewal to know.
    assert.equal(lease.signal.aborted, true);
    assert.match(String(lease.signal.reason), /its agent was deleted/);
    assert.equal(other.signal.aborted, false);
    await assert.rejects(store.appendMessages('a', [user('x')], { lease }), AgentNotFoundError);
    await lease.release();
    await createAgent(store, 'a');
    await everyWriteIsRefused(store, 'a', lease);
    const next = await store.acquireAgentLock('a');
    await everyWriteIsRefused(store, 'a', lease);
    await store.appendMessages('a', [user('x')], { lease: next });
    assert.deepEqual(await (await context.reopen()).loadMessages('a'), [user('x')]);
  });
}

function givingBack(spec: Spec): void {
  spec.test('are released by release(), by a call, and by "await using"', async ({ store }) => {
    await createAgent(store, 'a');
    const first = await store.acquireAgentLock('a');
    await first.release();
    assert.equal(first.signal.aborted, true);
    await assert.rejects(store.appendMessages('a', [user('x')], { lease: first }), LeaseNotHeldError);

    const second = await store.acquireAgentLock('a');
    await second();
    assert.equal(second.signal.aborted, true);

    const third = await store.acquireAgentLock('a');
    await third[Symbol.asyncDispose]();
    assert.equal(third.signal.aborted, true);

    const fourth = await store.acquireAgentLock('a');
    assert.ok(first.token < second.token && second.token < third.token && third.token < fourth.token);
  });

  spec.test('leave an agent that anybody writes to, once released', async (context) => {
    await createAgent(context.store, 'a');
    await (await context.store.acquireAgentLock('a')).release();
    await context.store.appendMessages('a', [user('x')]);
    assert.deepEqual(await (await context.reopen()).loadMessages('a'), [user('x')]);
  });

  spec.test('are given back by close()', async (context) => {
    await createAgent(context.store, 'a');
    const lease = await context.store.acquireAgentLock('a', { ttlMs: 60_000 });
    const store = await context.reopen();
    assert.equal(lease.signal.aborted, true);
    await assert.rejects(store.appendMessages('a', [user('x')], { lease }), LeaseNotHeldError);
    assert.ok((await store.acquireAgentLock('a')).token > lease.token);
  });
}

function naming(spec: Spec): void {
  spec.test('L5 say who holds them, and that it is this process', async ({ store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a', { holder: 'worker-7' });
    assert.equal(lease.holder.name, 'worker-7');
    assert.equal(lease.holder.pid, process.pid);
    assert.ok(lease.holder.host.length > 0);
    const calls: Promise<unknown>[] = [store.acquireAgentLock('a'), store.saveMessages('a', [user('x')])];
    const [timeout, refused] = (await outcomes(calls)).errors;
    assert.ok(timeout instanceof LockTimeoutError && refused instanceof LeaseNotHeldError);
    for (const error of [timeout, refused]) {
      assert.deepEqual(error.holder, lease.holder);
      assert.ok(error.expiresAt instanceof Date);
      assert.match(error.message, /this process itself \("worker-7"\).* until \d{4}-.*\{ lease \}/);
    }
  });

  spec.test('L5 tell nobody of a holder once they are released', async ({ store }) => {
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a');
    assert.equal(lease.holder.name, undefined);
    await lease.release();
    const [error] = (await outcomes([store.appendMessages('a', [user('x')], { lease })])).errors;
    assert.ok(error instanceof LeaseNotHeldError);
    // What isn't known would be printed all the same, as undefined.
    assert.deepEqual(Object.keys(error).sort(), ['agentId', 'code', 'name']);
    assert.match(error.message, /released or taken over\. Get a lease/);
  });

  spec.test('L5 have names of 1 to 255 bytes', async ({ store }) => {
    await createAgent(store, 'a');
    for (const holder of ['', 'x'.repeat(256), 7 as never]) {
      await refused(store.acquireAgentLock('a', { holder }), 'holder');
    }
  });
}

function severalStores(spec: Spec): void {
  spec.shared('keep every other store out', async (context) => {
    const other = await context.another();
    await createAgent(context.store, 'a', conversation(2));
    const lease = await context.store.acquireAgentLock('a');
    await assert.rejects(other.acquireAgentLock('a'), LockTimeoutError);
    await everyWriteIsRefused(other, 'a');
    const waiting = other.acquireAgentLock('a', { waitMs: 10_000 });
    await pause(50);
    await lease.release();
    await other.appendMessages('a', [user('x')], { lease: await waiting });
    assert.equal((await context.store.loadMessages('a')).length, 3);
  });

  spec.shared('go to one of many that ask at the same moment', async (context) => {
    const stores = [context.store, await context.another(), await context.another()];
    await createAgent(context.store, 'a');
    const asked = stores.flatMap((store) => [1, 2, 3].map(() => store.acquireAgentLock('a')));
    const { values, errors } = await outcomes(asked);
    assert.equal(values.length, 1);
    for (const error of errors) assert.ok(error instanceof LockTimeoutError, String(error));
  });

  spec.shared('are taken over by another store', async (context) => {
    const other = await context.another();
    await createAgent(context.store, 'a');
    const former = await context.store.acquireAgentLock('a', { ttlMs: SHORT });
    freeze(2 * SHORT);
    const holder = await other.acquireAgentLock('a', { waitMs: 5_000 });
    assert.ok(holder.token > former.token);
    await everyWriteIsRefused(context.store, 'a', former);
    await outcomes([former.release()]);
    await assert.rejects(context.store.acquireAgentLock('a'), LockTimeoutError);
    await other.appendMessages('a', [user('x')], { lease: holder });
    assert.deepEqual(await context.store.loadMessages('a'), [user('x')]);
  });
}
