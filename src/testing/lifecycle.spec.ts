import assert from 'node:assert/strict';
import { StoreClosedError, ValidationError } from '../errors.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { asks, assistant, collect, conversation, createAgent, progress, user } from './samples.ts';
import { outcomes, within } from './timing.ts';

type Closing = 'close' | typeof Symbol.asyncDispose;

/** Every call of the interface: the compiler asks for a line here for each method that is added to it. */
const CALLS: { [M in Exclude<keyof Store, Closing>]: (store: Store) => unknown } = {
  open: (store) => store.open(),
  commit: (store) => store.commit('a', { messages: [user('x')] }),
  saveInfo: (store) => store.saveInfo('new', {}),
  loadInfo: (store) => store.loadInfo('a'),
  saveMessages: (store) => store.saveMessages('a', []),
  appendMessages: (store) => store.appendMessages('a', [user('x')]),
  loadMessages: (store) => store.loadMessages('a'),
  loadContext: (store) => store.loadContext('a'),
  saveToolCallRecords: (store) => store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'executing' }]),
  loadToolCallRecords: (store) => store.loadToolCallRecords('a'),
  loadOpenCalls: (store) => store.loadOpenCalls('a'),
  saveTodos: (store) => store.saveTodos('a', { todos: [] }),
  loadTodos: (store) => store.loadTodos('a'),
  loadCompactions: (store) => store.loadCompactions('a'),
  loadAgent: (store) => store.loadAgent('a'),
  loadWorkingSet: (store) => store.loadWorkingSet('a'),
  appendEvent: (store) => store.appendEvent('a', progress('x')),
  readEvents: (store) => collect(store.readEvents('a')),
  saveDelta: (store) => store.saveDelta('a', { text: 'x' }),
  loadDelta: (store) => store.loadDelta('a'),
  isWatched: (store) => store.isWatched('a'),
  saveSnapshot: (store) => store.saveSnapshot('a', { id: 's' }),
  loadSnapshot: (store) => store.loadSnapshot('a', 's'),
  listSnapshots: (store) => store.listSnapshots('a'),
  fork: (store) => store.fork('a'),
  saveDocument: (store) => store.saveDocument('a', { kind: 'compression', name: 'n', content: 1 }),
  loadDocument: (store) => store.loadDocument('a', 'compression', 'n'),
  listDocuments: (store) => store.listDocuments('a', 'compression'),
  deleteDocument: (store) => store.deleteDocument('a', 'compression', 'n'),
  acquireAgentLock: (store) => store.acquireAgentLock('a'),
  decideApproval: (store) => store.decideApproval('a', 'x', { decision: 'allow' }),
  exists: (store) => store.exists('a'),
  delete: (store) => store.delete('a'),
  list: (store) => store.list(),
};

const EXTENDED_CALLS: {
  [M in Exclude<keyof ExtendedStore, keyof Store>]: (store: ExtendedStore) => unknown;
} = {
  querySessions: (store) => store.querySessions(),
  queryMessages: (store) => store.queryMessages(),
  queryToolCalls: (store) => store.queryToolCalls(),
  aggregateStats: (store) => store.aggregateStats('a'),
  iterateSessions: (store) => collect(store.iterateSessions()),
  iterateMessages: (store) => collect(store.iterateMessages()),
  iterateToolCalls: (store) => collect(store.iterateToolCalls()),
  healthCheck: (store) => store.healthCheck(),
  checkConsistency: (store) => store.checkConsistency(),
  getMetrics: (store) => store.getMetrics(),
  batchFork: (store) => store.batchFork('a', 2),
  claimResumable: (store) => store.claimResumable({ limit: 1 }),
  backup: (store) => store.backup(),
  watch: (store) => collect(store.watch('a')),
};

/** An agent for all of the calls above to have something to do. */
async function fill(store: Store): Promise<void> {
  await createAgent(store, 'a', [user('go'), asks('x')]);
  await store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'approval_required' }]);
  await store.saveSnapshot('a', { id: 's' });
}

/** Each on its own: a call that throws at once is as good as one that rejects. */
async function allRefused<S>(store: S, calls: Record<string, (store: S) => unknown>): Promise<void> {
  for (const [name, call] of Object.entries(calls)) {
    await assert.rejects(async () => call(store), StoreClosedError, name);
  }
}

export function lifecycleSpec(spec: Spec): void {
  spec.describe('the lifecycle of a store', () => {
    closed(spec);
    closing(spec);
    opening(spec);
  });
}

function closed(spec: Spec): void {
  spec.test('ends with close(): every call after it is refused', async (context) => {
    const { store } = context;
    await fill(store);
    const before = JSON.stringify(await store.loadAgent('a'));
    await store.close();
    await allRefused(store, CALLS);
    const reopened = await context.reopen();
    assert.equal(JSON.stringify(await reopened.loadAgent('a')), before);
    assert.deepEqual(await reopened.list(), ['a']);
  });

  spec.extended('ends with close() for queries, too', async ({ store }) => {
    await fill(store);
    await store.close();
    await allRefused(store, EXTENDED_CALLS);
  });

  spec.test('ends with "await using"', async (context) => {
    await fill(context.store);
    await context.store[Symbol.asyncDispose]();
    await assert.rejects(context.store.loadMessages('a'), StoreClosedError);
    assert.equal(await (await context.reopen()).exists('a'), true);
  });

  spec.test('can be ended twice, one after the other and at once', async ({ store }) => {
    await Promise.all([store.close(), store.close()]);
    await store.close();
    await store[Symbol.asyncDispose]();
    await assert.rejects(store.list(), StoreClosedError);
  });

  spec.test('can end before anything was done with the store', async ({ store }) => {
    await within(store.close(), 'closing an unused store');
  });

  spec.test('is refused from the moment of close(), not from its end', async ({ store }) => {
    await fill(store);
    const ending = store.close();
    await assert.rejects(store.appendMessages('a', [user('late')]), StoreClosedError);
    await ending;
  });
}

function closing(spec: Spec): void {
  spec.test('waits for the writes that are under way', async (context) => {
    const { store } = context;
    for (const id of ['a', 'b', 'c']) await createAgent(store, id);
    const writes = Array.from({ length: 30 }, (_, n) =>
      store.commit(['a', 'b', 'c'][n % 3] ?? 'a', { messages: [user(`${n}`)], events: [progress('x')] }),
    );
    const settled = outcomes(writes);
    await store.close();
    const { values, errors } = await settled;
    assert.deepEqual(errors, []);
    assert.equal(values.length, 30);
    const reopened = await context.reopen();
    for (const id of ['a', 'b', 'c']) assert.equal((await reopened.loadMessages(id)).length, 10);
  });

  spec.test('waits for the reads that are under way', async ({ store }) => {
    await createAgent(store, 'a', conversation(50));
    const reads = outcomes(Array.from({ length: 20 }, () => store.loadMessages('a')));
    await store.close();
    const { values, errors } = await reads;
    assert.deepEqual(errors, []);
    for (const messages of values) assert.equal(messages.length, 50);
  });

  spec.test("doesn't wait for a reader of events that stands still", async ({ store }) => {
    await createAgent(store, 'a');
    for (let n = 0; n < 5; n += 1) await store.appendEvent('a', progress('x'));
    const reader = store.readEvents('a')[Symbol.asyncIterator]();
    await reader.next();
    await within(store.close(), 'closing under a reader');
    // What it had read already it may still give; then it ends, or says why it can't go on.
    const { errors } = await outcomes([drain(reader)]);
    for (const error of errors) assert.ok(error instanceof StoreClosedError, String(error));
  });

  spec.extended("doesn't wait for an iterator that stands still", async ({ store }) => {
    await createAgent(store, 'a', conversation(300));
    const reader = store.iterateMessages({ agentId: 'a' })[Symbol.asyncIterator]();
    await reader.next();
    await within(store.close(), 'closing under an iterator');
    const { errors } = await outcomes([drain(reader)]);
    for (const error of errors) assert.ok(error instanceof StoreClosedError, String(error));
  });

  spec.test("ends the wait for another's lease", async ({ store }) => {
    await createAgent(store, 'a');
    await store.acquireAgentLock('a', { ttlMs: 60_000 });
    const waiting = outcomes([store.acquireAgentLock('a', { waitMs: 15_000 })]);
    await within(store.close(), 'closing under somebody who waits', 5_000);
    const { values } = await within(waiting, 'the wait of a closed store', 5_000);
    assert.deepEqual(values, []);
  });
}

async function drain(reader: AsyncIterator<unknown>): Promise<void> {
  while ((await reader.next()).done !== true);
}

function opening(spec: Spec): void {
  spec.test('can begin again and again: nothing is lost, nothing is made up', async (context) => {
    await createAgent(context.store, 'a');
    for (let n = 0; n < 5; n += 1) {
      const store = await context.reopen();
      assert.deepEqual(
        await store.loadMessages('a'),
        Array.from({ length: n }, (_, i) => assistant(`${i}`)),
      );
      await store.appendMessages('a', [assistant(`${n}`)]);
    }
    assert.equal((await (await context.reopen()).loadInfo('a'))?.version, 6);
  });

  spec.test('can be asked for, any number of times, and gives the store', async (context) => {
    await createAgent(context.store, 'a');
    const store = await context.another();
    assert.deepEqual(await Promise.all([store.open(), store.open({})]), [store, store]);
    assert.equal(await store.open({ signal: undefined }), store);
    assert.equal(await store.open({ signal: new AbortController().signal }), store);
    assert.deepEqual(await store.list(), ['a']);
  });

  spec.test('refuses what is no signal, and options that nobody knows', async ({ store }) => {
    for (const wrong of [{ signal: 1 }, { signal: null }, { timeoutMs: 5 }, 5, 'x', null]) {
      await assert.rejects(async () => store.open(wrong as object), ValidationError, JSON.stringify(wrong));
    }
    await store.open();
  });

  spec.test('fails with a signal that has aborted, open or not, and works after it', async (context) => {
    await createAgent(context.store, 'a');
    const store = await context.another();
    const reason = new Error('enough');
    for (const _ of ['not open', 'open']) {
      await assert.rejects(store.open({ signal: AbortSignal.abort(reason) }), reason);
      assert.deepEqual(await store.list(), ['a']);
    }
  });

  spec.test("ends with its caller's signal, and the next call begins anew", async (context) => {
    await createAgent(context.store, 'a');
    const store = await context.another();
    for (let n = 0; n < 3; n += 1) {
      const stop = new AbortController();
      const opening = outcomes([store.open({ signal: stop.signal })]);
      stop.abort(new Error('enough'));
      // One that was open already, or came to its goal before it heard of it, is as good.
      const { errors } = await within(opening, 'the end of the opening');
      for (const error of errors) assert.equal(error, stop.signal.reason);
    }
    assert.deepEqual(await store.list(), ['a']);
    await store.appendMessages('a', [user('x')]);
    assert.equal((await (await context.reopen()).loadMessages('a')).length, 1);
  });

  spec.test("goes on for the others when one caller's signal aborts", async (context) => {
    await createAgent(context.store, 'a');
    const store = await context.another();
    const [mine, hers] = [new AbortController(), new AbortController()];
    const stopped = outcomes([store.open({ signal: mine.signal }), store.open({ signal: mine.signal })]);
    const others = [store.list(), store.open({ signal: hers.signal }).then((opened) => opened.list())];
    mine.abort(new Error('enough'));
    assert.deepEqual(await Promise.all(others), [['a'], ['a']]);
    for (const error of (await stopped).errors) assert.equal(error, mine.signal.reason);
  });

  spec.extended('is waited for no longer than the signal of a call says', async (context) => {
    await createAgent(context.store, 'a');
    const store = await context.another();
    const stop = new AbortController();
    const { signal } = stop;
    const calls = outcomes<unknown>([
      store.checkConsistency({ signal }),
      store.aggregateStats({}, { signal }),
      store.batchFork('a', 2, { signal }),
      collect(store.iterateSessions({}, { signal })),
      collect(store.iterateMessages({}, { signal })),
      collect(store.iterateToolCalls({}, { signal })),
    ]);
    const watched = collect(store.watch('a', { signal }));
    stop.abort(new Error('enough'));
    const { values, errors } = await within(calls, 'the calls that were stopped');
    assert.deepEqual(values, []);
    for (const error of errors) assert.equal(error, signal.reason);
    assert.deepEqual(await within(watched, 'the watch that was stopped'), []);
    assert.deepEqual(await store.list(), ['a']);
  });

  spec.shared("doesn't touch other stores on the same database", async (context) => {
    const other = await context.another();
    await createAgent(other, 'a');
    await context.store.close();
    await other.appendMessages('a', [user('x')]);
    assert.equal((await other.loadMessages('a')).length, 1);
  });
}
