import assert from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import {
  createAgent,
  everything,
  minute,
  progress,
  refused,
  sameJson,
  toolUse,
  user,
  wrong,
} from './samples.ts';

/** Puts a value into each kind of place where a caller's value can stand. */
const PLACES: Record<string, (store: Store, value: unknown) => unknown> = {
  'an output': (store, value) => store.saveToolCallRecords('a', [{ toolCallId: 'x', output: { value } }]),
  'an input': (store, value) =>
    store.appendMessages('a', [{ role: 'assistant', content: [toolUse('y', 'search', { value })] }]),
  'a block': (store, value) =>
    store.appendMessages('a', [{ role: 'user', content: [wrong({ type: 'image', data: value })] }]),
  'a message': (store, value) => store.appendMessages('a', [{ ...user('x'), metadata: { value } }]),
  metadata: (store, value) => store.saveInfo('a', { metadata: { value } }),
  'an event': (store, value) => store.appendEvent('a', progress('x', { value })),
  'a to-do': (store, value) => store.saveTodos('a', { todos: [value] }),
  'a document': (store, value) =>
    store.saveDocument('a', { kind: 'compression', name: 'n', content: { value } }),
  'a delta': (store, value) => store.saveDelta('a', { value }),
};

/** In the words of another realm: its classes aren't ours. */
const OPAQUE = [
  'new Map([[1, 2]])',
  'new Set([1])',
  'new WeakMap()',
  '/x/',
  'new ArrayBuffer(2)',
  'new SharedArrayBuffer(2)',
  'new Uint8Array(2)',
  'new Float64Array(2)',
  'new DataView(new ArrayBuffer(2))',
  'Promise.resolve(1)',
  'new Error("boom")',
  'new TypeError("boom")',
  '(function* () {})()',
  'new Date(NaN)',
  'Symbol()',
  '1n',
  '() => 1',
];

class Thrown extends Error {}

function thrower(): never {
  throw new Thrown('from the caller');
}

/** Values whose reading throws. */
const UNREADABLE: Record<string, () => unknown> = {
  'a getter': () => Object.defineProperty({}, 'bad', { enumerable: true, get: thrower }),
  'a toJSON': () => ({ toJSON: thrower }),
  'a proxy': () => new Proxy({}, { get: thrower, ownKeys: thrower, getPrototypeOf: thrower, has: thrower }),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a list with a getter': () => Object.defineProperty([1, 2], 0, { enumerable: true, get: thrower }),
  'a getter that throws nothing much': () =>
    Object.defineProperty({}, 'bad', {
      enumerable: true,
      get() {
        throw undefined;
      },
    }),
};

/** Values of the caller's that throw, come from elsewhere or aren't what they look like. */
export function hostileValuesSpec(spec: Spec): void {
  spec.describe('hostile values', () => {
    otherRealms(spec);
    unreadable(spec);
    disguised(spec);
  });
}

function otherRealms(spec: Spec): void {
  const realm = createContext({});
  const other = (code: string): unknown => runInContext(`(${code})`, realm);

  for (const code of OPAQUE) {
    spec.test(`R1 ${code} of another realm is refused by name`, async (context) => {
      await fill(context.store);
      const before = await everything(context.store);
      for (const [place, put] of Object.entries(PLACES)) {
        await refused(call(put, context.store, other(code)), '', place);
      }
      assert.equal(await everything(await context.reopen()), before);
    });
  }

  spec.test('R1 plain values of another realm are like our own', async ({ store, reopen }) => {
    const code = '{ z: 1, a: [true, null, { b: "x" }], d: new Date(0), __proto__: null }';
    const value = other(code);
    await store.commit('a', {
      info: wrong(other('{ metadata: { z: [1] } }')),
      messages: wrong(other('[{ role: "user", content: [{ type: "text", text: "x" }] }]')),
      events: wrong(other('[{ channel: "progress", type: "x", list: [1] }]')),
      todos: wrong(other('{ todos: [1, { a: 2 }] }')),
      expectedVersion: 0,
    });
    await store.saveDocument('a', { kind: 'compression', name: 'n', content: value });
    const again = await reopen();
    sameJson((await again.loadDocument('a', 'compression', 'n'))?.content, value);
    sameJson(await again.loadMessages('a'), [user('x')]);
    sameJson((await again.loadInfo('a'))?.metadata, { z: [1] });
    sameJson((await again.loadTodos('a'))?.todos, [1, { a: 2 }]);
  });

  spec.test('R1 a Date of another realm is a Date', async ({ store }) => {
    const at = other(`new Date(${minute(1).getTime()})`) as Date;
    await store.commit('a', { info: { createdAt: at }, messages: [user('x')], at, expectedVersion: 0 });
    await store.commit('a', { messages: [user('y')], at: [at] });
    await store.saveToolCallRecords('a', [
      { toolCallId: 'x', toolName: 't', state: 'completed', startedAt: at, completedAt: at },
    ]);
    await store.saveSnapshot('a', { id: 's', createdAt: at });
    assert.deepEqual((await store.loadInfo('a'))?.createdAt, minute(1));
    assert.deepEqual((await store.loadSnapshot('a', 's'))?.createdAt, minute(1));
    assert.deepEqual((await store.loadToolCallRecords('a'))[0]?.startedAt, minute(1));
    await refused(store.commit('a', { at: other('new Date(NaN)') as Date }), 'at');
  });

  spec.extended('R1 filters and signals of another realm are understood', async ({ store }) => {
    await createAgent(store, 'a', [user('x')]);
    const filter = other('{ createdAfter: new Date(0), limit: 5 }');
    assert.equal((await store.querySessions(wrong(filter))).length, 1);
    for (const signal of ['new Date()', '{}', '{ aborted: false }', '5']) {
      const watched = store.watch('a', { signal: wrong(other(signal)) });
      await refused(
        (async () => {
          for await (const _item of watched) return;
        })(),
        'signal',
      );
    }
  });
}

function unreadable(spec: Spec): void {
  for (const [kind, make] of Object.entries(UNREADABLE)) {
    spec.test(`A3 ${kind} that throws is an error of its value, wherever it stands`, async (context) => {
      const { store } = context;
      await fill(store);
      const before = await everything(store);
      for (const [place, put] of Object.entries(PLACES)) {
        await refused(call(put, store, make()), '', place);
      }
      const whole = {
        'a commit': () => store.commit('a', wrong(make())),
        'an info': () => store.saveInfo('a', wrong(make())),
        'a message': () => store.appendMessages('a', [wrong(make())]),
        'a block': () => store.appendMessages('a', [{ role: 'user', content: [wrong(make())] }]),
        'a record': () => store.saveToolCallRecords('a', [wrong(make())]),
        'an approval': () => store.saveToolCallRecords('a', [{ toolCallId: 'x', approval: wrong(make()) }]),
        'an event': () => store.appendEvent('a', wrong(make())),
        'to-dos': () => store.saveTodos('a', wrong(make())),
        'a snapshot': () => store.saveSnapshot('a', wrong(make())),
        'a document': () => store.saveDocument('a', wrong(make())),
        options: () => store.appendMessages('a', [user('x')], wrong(make())),
        'a lease': () => store.appendMessages('a', [user('x')], { lease: wrong(make()) }),
        'an id': () => store.loadInfo(wrong(make())),
        'fork options': () => store.fork('a', wrong(make())),
        'lease options': () => store.acquireAgentLock('a', wrong(make())),
        'a decision': () => store.decideApproval('a', 'x', wrong(make())),
        'an instant': () => store.commit('a', { at: wrong(make()) }),
      };
      for (const [place, put] of Object.entries(whole)) {
        await refused((async () => put())(), '', place);
      }
      assert.equal(await everything(await context.reopen()), before);
    });
  }

  spec.test('A3 says what was thrown, and where', async ({ store }) => {
    await createAgent(store, 'a');
    const error: unknown = await store
      .appendMessages('a', [user('x'), { ...user('y'), metadata: { deep: { toJSON: thrower } } }])
      .catch((reason: unknown) => reason);
    assert.ok(error instanceof Error);
    assert.match(error.message, /^messages\[1\]\.metadata: .*from the caller/);
    assert.ok(error.cause instanceof Thrown);
  });
}

function disguised(spec: Spec): void {
  spec.test('A3 lists with holes hold no message, record, event or block', async (context) => {
    const { store } = context;
    await fill(store);
    const before = await everything(store);
    // biome-ignore lint/suspicious/noSparseArray: holes are what this is about
    const holes = wrong<never[]>([, user('x')]);
    await refused(store.appendMessages('a', holes), 'messages[0]');
    await refused(store.saveMessages('a', holes), 'messages[0]');
    await refused(store.saveMessages('a', new Array(3)), 'messages[0]');
    await refused(store.saveToolCallRecords('a', new Array(2)), 'toolCalls[0]');
    await refused(store.commit('a', { events: new Array(2) }), 'events[0]');
    await refused(store.commit('a', { usage: new Array(2) }), 'usage[0]');
    await refused(store.commit('a', { messages: [user('x'), user('y')], at: new Array(2) }), 'at[0]');
    await refused(store.saveInfo('a', { lineage: new Array(2) }), 'info.lineage[0]');
    await refused(store.appendMessages('a', [{ role: 'user', content: new Array(1) }]), 'content[0]');
    await refused(store.saveTodos('a', { todos: new Array(2 ** 32 - 1) }), 'todos.todos');
    assert.equal(await everything(await context.reopen()), before);
  });

  spec.test('A3 what JSON would not write of a message is not taken for said', async (context) => {
    const { store } = context;
    await fill(store);
    const before = await everything(store);
    const inherited = Object.create({ role: 'user', content: [] });
    await refused(store.appendMessages('a', [inherited]), 'messages[0].role');
    await refused(store.appendEvent('a', Object.create(progress('x'))), 'event.channel');
    const block = Object.create({ type: 'text', text: 'x' });
    await refused(store.appendMessages('a', [{ role: 'user', content: [block] }]), 'content[0].type');
    const hidden = Object.defineProperty({ role: 'user' }, 'content', { value: [], enumerable: false });
    await refused(store.appendMessages('a', [wrong(hidden)]), 'messages[0].content');
    const turned = { toJSON: () => 5 };
    await refused(store.appendMessages('a', [wrong(turned)]), 'messages[0]');
    await refused(store.appendMessages('a', [{ role: 'user', content: [wrong(turned)] }]), 'content[0]');
    await refused(store.saveInfo('a', { metadata: wrong({ toJSON: () => undefined }) }), 'info.metadata');
    await refused(store.saveDelta('a', wrong(turned)), 'delta');
    await refused(store.saveTodos('a', { todos: Object.assign([], turned) }), 'todos.todos');
    const list = Object.assign([], turned);
    await refused(store.appendMessages('a', [{ role: 'user', content: list }]), 'content');
    assert.equal(await everything(await context.reopen()), before);
  });

  spec.test('A3 what becomes JSON by its own toJSON is taken for that', async ({ store, reopen }) => {
    const message = { toJSON: () => user('x') };
    const block = { toJSON: () => toolUse('y') };
    await createAgent(store, 'a', [wrong(message), { role: 'assistant', content: [wrong(block)] }]);
    await store.appendEvent('a', wrong({ toJSON: () => progress('x') }));
    const { messages, toolCalls } = await (await reopen()).loadAgent('a');
    sameJson(messages, [user('x'), { role: 'assistant', content: [toolUse('y')] }]);
    assert.deepEqual(
      toolCalls.map(({ toolCallId }) => toolCallId),
      ['y'],
    );
  });

  spec.test(
    "A3 the store has its own copy: what becomes of the caller's later is none of its business",
    async (context) => {
      const { store } = context;
      await createAgent(store, 'a');
      const lease = await store.acquireAgentLock('a');
      const message = user('as it was');
      const options = { lease };
      const writing = store.appendMessages('a', [message], options);
      message.role = 'system';
      message.content.length = 0;
      options.lease = wrong({});
      await writing;
      await lease.release();
      sameJson(await (await context.reopen()).loadMessages('a'), [user('as it was')]);
    },
  );
}

async function fill(store: Store): Promise<void> {
  await createAgent(store, 'a', [user('go'), { role: 'assistant', content: [toolUse('x')] }]);
  await store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'approval_required' }]);
}

async function call(
  put: (store: Store, value: unknown) => unknown,
  store: Store,
  value: unknown,
): Promise<unknown> {
  return put(store, value);
}
