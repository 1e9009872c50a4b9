import assert from 'node:assert/strict';
import { AgentNotFoundError } from '../errors.ts';
import type { AgentLease, ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import {
  asks,
  assistant,
  collect,
  createAgent,
  everything,
  progress,
  refused,
  user,
  wrong,
} from './samples.ts';

type Call<S = Store> = (store: S, value: unknown) => unknown;

/** What a narrow call is about: left out, it says nothing, and what is stored must not become nothing. */
const NARROW: Record<string, Call> = {
  info: (store, value) => store.saveInfo('a', wrong(value)),
  messages: (store, value) => store.saveMessages('a', wrong(value)),
  'messages ': (store, value) => store.appendMessages('a', wrong(value)),
  toolCalls: (store, value) => store.saveToolCallRecords('a', wrong(value)),
  todos: (store, value) => store.saveTodos('a', wrong(value)),
  snapshot: (store, value) => store.saveSnapshot('a', wrong(value)),
  event: (store, value) => store.appendEvent('a', wrong(value)),
  delta: (store, value) => store.saveDelta('a', wrong(value)),
  document: (store, value) => store.saveDocument('a', wrong(value)),
  decision: (store, value) => store.decideApproval('a', 'x', wrong(value)),
  change: (store, value) => store.commit('a', wrong(value)),
};

/** Options that may be left out: null and what has no keys isn't that. */
const OPTIONS: Record<string, Call> = {
  saveInfo: (store, value) => store.saveInfo('a', {}, wrong(value)),
  saveMessages: (store, value) => store.saveMessages('a', [user('x')], wrong(value)),
  appendMessages: (store, value) => store.appendMessages('a', [user('x')], wrong(value)),
  saveToolCallRecords: (store, value) => store.saveToolCallRecords('a', [], wrong(value)),
  saveTodos: (store, value) => store.saveTodos('a', { todos: [] }, wrong(value)),
  saveSnapshot: (store, value) => store.saveSnapshot('a', { id: 't' }, wrong(value)),
  saveDocument: (store, value) =>
    store.saveDocument('a', { kind: 'compression', name: 'n', content: 1 }, wrong(value)),
  deleteDocument: (store, value) => store.deleteDocument('a', 'compression', 'n', wrong(value)),
  fork: (store, value) => store.fork('a', wrong(value)),
  acquireAgentLock: (store, value) => store.acquireAgentLock('a', wrong(value)),
  readEvents: (store, value) => collect(store.readEvents('a', wrong(value))),
};

const EXTENDED_OPTIONS: Record<string, Call<ExtendedStore>> = {
  querySessions: (store, value) => store.querySessions(wrong(value)),
  queryMessages: (store, value) => store.queryMessages(wrong(value)),
  queryToolCalls: (store, value) => store.queryToolCalls(wrong(value)),
  aggregateStats: (store, value) => store.aggregateStats(wrong(value)),
  iterateSessions: (store, value) => collect(store.iterateSessions(wrong(value))),
  iterateMessages: (store, value) => collect(store.iterateMessages(wrong(value))),
  iterateToolCalls: (store, value) => collect(store.iterateToolCalls(wrong(value))),
  claimResumable: (store, value) => store.claimResumable(wrong(value)),
  watch: (store, value) => collect(store.watch('a', wrong(value))),
};

/** A slip of the pen at each depth that is ours: where it is, and what was meant. */
const MISSPELT: Record<string, [call: (store: Store) => unknown, field: string, meant: string | undefined]> =
  {
    'a commit': [(store) => store.commit('a', wrong({ mesages: [] })), 'change.mesages', 'messages'],
    'a message': [
      (store) => store.appendMessages('a', [wrong({ ...user('x'), metdata: {} })]),
      'messages[0].metdata',
      'metadata',
    ],
    'a message of a snapshot': [
      (store) => store.saveSnapshot('a', { id: 't', messages: [wrong({ ...user('x'), rol: 1 })] }),
      'snapshot.messages[0].rol',
      'role',
    ],
    'a message of a compaction': [
      (store) =>
        store.commit('a', { compaction: { seq: 0, messages: [wrong({ ...user('x'), Content: [] })] } }),
      'compaction.messages[0].Content',
      'content',
    ],
    'an agent': [(store) => store.saveInfo('a', wrong({ templatId: 't' })), 'info.templatId', 'templateId'],
    'a new agent': [(store) => store.saveInfo('new', wrong({ useId: 't' })), 'info.useId', 'userId'],
    "an agent's bookmark": [
      (store) => store.saveInfo('a', { lastBookmark: wrong({ seq: 1, timestamp: 1, time: 1 }) }),
      'info.lastBookmark.time',
      'timestamp',
    ],
    'a call': [
      (store) => store.saveToolCallRecords('a', [wrong({ toolCallId: 'x', sate: 'failed' })]),
      'toolCalls[0].sate',
      'state',
    ],
    "a call's approval": [
      (store) =>
        store.saveToolCallRecords('a', [{ toolCallId: 'x', approval: wrong({ required: true, meta: 1 }) }]),
      'toolCalls[0].approval.meta',
      undefined,
    ],
    "a call's audit": [
      (store) =>
        store.saveToolCallRecords('a', [
          { toolCallId: 'x', auditTrail: [wrong({ state: 'pending', at: new Date(), notes: '' })] },
        ]),
      'toolCalls[0].auditTrail[0].notes',
      'note',
    ],
    usage: [
      (store) => store.commit('a', { usage: [wrong({ model: 'm', inputToken: 1 })] }),
      'usage[0].inputToken',
      'inputTokens',
    ],
    'to-dos': [
      (store) => store.saveTodos('a', wrong({ todos: [], updateAt: 1 })),
      'todos.updateAt',
      'updatedAt',
    ],
    'a compaction': [
      (store) => store.commit('a', { compaction: wrong({ seq: 0, message: [] }) }),
      'compaction.message',
      'messages',
    ],
    'a snapshot': [
      (store) => store.saveSnapshot('a', wrong({ id: 't', mesages: [] })),
      'snapshot.mesages',
      'messages',
    ],
    "a snapshot's bookmark": [
      (store) => store.saveSnapshot('a', { id: 't', lastBookmark: wrong({ seq: 1, timestamp: 1, sec: 1 }) }),
      'snapshot.lastBookmark.sec',
      'seq',
    ],
    'a document': [
      (store) => store.saveDocument('a', wrong({ kind: 'compression', name: 'n', contents: 1 })),
      'document.contents',
      'content',
    ],
    'a decision': [
      (store) => store.decideApproval('a', 'x', wrong({ decision: 'allow', nota: 'no' })),
      'decision.nota',
      'note',
    ],
    'write options': [
      (store) => store.appendMessages('a', [user('x')], wrong({ leas: 1 })),
      'options.leas',
      'lease',
    ],
    'fork options': [(store) => store.fork('a', wrong({ snapshot: 's' })), 'options.snapshot', undefined],
    'lease options': [(store) => store.acquireAgentLock('a', wrong({ ttl: 50 })), 'options.ttl', 'ttlMs'],
    'reading events': [
      (store) => collect(store.readEvents('a', wrong({ chanel: 'progress' }))),
      'chanel',
      'channel',
    ],
    'a bookmark to read from': [
      (store) => collect(store.readEvents('a', { since: wrong({ seq: 0, timestmp: 1 }) })),
      'since.timestmp',
      'timestamp',
    ],
  };

const EXTENDED_MISSPELT: Record<
  string,
  [call: (store: ExtendedStore) => unknown, field: string, meant: string]
> = {
  sessions: [(store) => store.querySessions(wrong({ templateID: 't' })), 'templateID', 'templateId'],
  messages: [(store) => store.queryMessages(wrong({ contenttype: 'text' })), 'contenttype', 'contentType'],
  calls: [(store) => store.queryToolCalls(wrong({ tool: 't' })), 'tool', 'toolName'],
  statistics: [(store) => store.aggregateStats(wrong({ userid: 'u' })), 'userid', 'userId'],
  iterators: [(store) => collect(store.iterateMessages(wrong({ limits: 1 }))), 'limits', 'limit'],
  claims: [(store) => store.claimResumable(wrong({ limit: 1, ttl: 50 })), 'options.ttl', 'ttlMs'],
  watching: [(store) => collect(store.watch('a', wrong({ sinc: 0 }))), 'options.sinc', 'since'],
};

/** What is missing, misspelt or wrong is refused by name, the same on all backends, and nothing is stored. */
export function argumentsSpec(spec: Spec): void {
  spec.describe('arguments', () => {
    missing(spec);
    misspelt(spec);
    passedBack(spec);
    numbers(spec);
    advice(spec);
  });
}

/** An agent for every call above to have something to lose. */
async function fill(store: Store): Promise<void> {
  await createAgent(store, 'a', [user('go'), asks('x'), assistant('and')], { metadata: { kept: true } });
  await store.saveToolCallRecords('a', [{ toolCallId: 'x', state: 'approval_required' }]);
  await store.saveSnapshot('a', { id: 's' });
  await store.saveTodos('a', { todos: ['one'] });
  await store.appendEvent('a', progress('x'));
  await store.saveDocument('a', { kind: 'compression', name: 'n', content: 'kept' });
}

function missing(spec: Spec): void {
  spec.test('A1 what a call is about must be given: nothing is emptied without a word', async (context) => {
    await fill(context.store);
    const before = await everything(context.store);
    for (const [name, call] of Object.entries(NARROW)) {
      for (const value of [
        undefined,
        null,
        0,
        '',
        'text',
        true,
        () => 1,
        Symbol('s'),
        new Date(),
        new Map(),
      ]) {
        await refused(invoke(call, context.store, value), name.trim(), `${name} of ${String(value)}`);
      }
    }
    for (const [name, call] of Object.entries(NARROW)) {
      const takesList = ['messages', 'messages ', 'toolCalls'].includes(name);
      const other: unknown = takesList ? { length: 0 } : [];
      await refused(invoke(call, context.store, other), name.trim(), name);
    }
    assert.equal(await everything(await context.reopen()), before);
  });

  spec.test('A1 null is no part of a commit', async (context) => {
    await fill(context.store);
    const before = await everything(context.store);
    for (const part of [
      'messages',
      'toolCalls',
      'events',
      'todos',
      'usage',
      'info',
      'compaction',
      'snapshot',
    ]) {
      await refused(context.store.commit('a', { messages: [user('x')], [part]: null }), part);
    }
    assert.equal(await everything(await context.reopen()), before);
  });

  spec.test('A3 options are an object or left out', async ({ store }) => {
    await fill(store);
    const before = await everything(store);
    for (const [name, call] of Object.entries(OPTIONS)) {
      for (const value of [null, '5000', true, [], new Date(), new Map()]) {
        await refused(invoke(call, store, value), '', `${name} with ${String(value)}`);
      }
    }
    assert.equal(await everything(store), before);
  });

  spec.extended('A3 filters and options of queries are an object or left out', async ({ store }) => {
    await fill(store);
    for (const [name, call] of Object.entries(EXTENDED_OPTIONS)) {
      for (const value of [null, 5, true, [], new Date(), new Map()]) {
        await refused(invoke(call, store, value), '', `${name} with ${String(value)}`);
      }
    }
  });
}

function misspelt(spec: Spec): void {
  for (const [where, [call, field, meant]] of Object.entries(MISSPELT)) {
    spec.test(`A2 an unknown key in ${where} is refused by name`, async ({ store }) => {
      await fill(store);
      const before = await everything(store);
      await refusedAsUnknown(() => call(store), field, meant);
      assert.equal(await everything(store), before);
    });
  }

  spec.extended('A2 an unknown key in what is asked for is refused by name', async ({ store }) => {
    await fill(store);
    for (const [call, field, meant] of Object.values(EXTENDED_MISSPELT)) {
      await refusedAsUnknown(() => call(store), field, meant);
    }
  });

  spec.test(
    "A2 keys are the caller's own in blocks, metadata, events, inputs and outputs",
    async (context) => {
      const own = { leas: 1, mesages: [], 'a key': { state: 'x', meta: null } };
      await context.store.commit('a', {
        info: { metadata: own },
        messages: [
          {
            role: 'assistant',
            content: [
              { type: 'text', text: 'x', ...own },
              { type: 'hologram', ...own },
              { type: 'tool_use', id: 'x', name: 'search', input: own, ...own },
              { type: 'image', url: 'https://example.com', ...own },
            ],
            metadata: own,
            providerOptions: own,
          },
        ],
        toolCalls: [{ toolCallId: 'x', output: own }],
        events: [progress('x', own)],
        todos: { todos: [own] },
        compaction: { seq: 0, messages: [], metadata: own },
        snapshot: { id: 's', metadata: own },
        expectedVersion: 0,
      });
      await context.store.saveDocument('a', { kind: 'compression', name: 'n', content: own });
      const text = await everything(await context.reopen());
      assert.equal(text.split('"leas":1').length - 1, 16);
    },
  );
}

/** A key that our own records have is never unknown: what was loaded can be passed back as it is. */
function passedBack(spec: Spec): void {
  spec.test('A2 whatever was loaded may be saved', async ({ store }) => {
    await fill(store);
    await store.commit('a', { compaction: { seq: 1, messages: [user('short')], metadata: { a: 1 } } });
    const info = await store.loadInfo('a');
    const loaded = await store.loadAgent('a');
    const [snapshot] = await store.listSnapshots('a');
    const document = await store.loadDocument('a', 'compression', 'n');
    const [compaction] = await store.loadCompactions('a');
    const whole = await store.loadSnapshot('a', 's');
    assert.ok(info && snapshot && document && compaction && whole && loaded.todos && loaded.compaction);
    const before = withoutVersions(await everything(store));

    await store.saveInfo('a', info);
    await store.saveMessages('a', await store.loadMessages('a'));
    await store.saveToolCallRecords('a', await store.loadToolCallRecords('a'));
    await store.saveTodos('a', loaded.todos);
    await store.saveSnapshot('a', snapshot);
    await store.saveSnapshot('a', whole);
    await store.saveDocument('a', document);
    assert.equal(withoutVersions(await everything(store)), before);

    await store.commit('a', { compaction });
    const { messages, ...rest } = loaded;
    await store.commit('a', rest);
    await store.commit('copy', { ...rest, info: { metadata: info.metadata }, messages, expectedVersion: 0 });
    for await (const event of store.readEvents('a', { since: { seq: 0, timestamp: 0 } })) {
      assert.deepEqual(await collect(store.readEvents('a', { since: event.bookmark })), []);
      await store.saveInfo('a', { lastBookmark: event.bookmark });
    }
  });

  spec.test(
    'A2 a snapshot in a list says how many messages it keeps, and may be saved so',
    async ({ store }) => {
      await createAgent(store, 'a', [user('1'), user('2')]);
      await store.saveSnapshot('a', { id: 's' });
      await store.appendMessages('a', [user('3')]);
      const [snapshot] = await store.listSnapshots('a');
      assert.ok(snapshot);
      await store.saveSnapshot('a', { ...snapshot, id: 't' });
      assert.deepEqual((await store.loadSnapshot('a', 't'))?.messages, [user('1'), user('2')]);
      await store.saveSnapshot('a', { id: 'u', messageCount: 0 });
      assert.deepEqual((await store.loadSnapshot('a', 'u'))?.messages, []);
      await refused(store.saveSnapshot('a', { id: 'v', messageCount: 4 }), 'messageCount');
      await refused(store.saveSnapshot('a', { id: 'v', messageCount: 2, messages: [] }), 'messageCount');
      assert.deepEqual(
        (await store.listSnapshots('a')).map(({ id }) => id),
        ['s', 't', 'u'],
      );
    },
  );

  spec.extended('A2 whatever a query returned may be saved', async ({ store }) => {
    await fill(store);
    const [session] = await store.querySessions();
    const messages = await store.queryMessages({ agentId: 'a', order: 'asc' });
    const calls = await store.queryToolCalls({ agentId: 'a' });
    assert.ok(session && messages.length === 3 && calls.length === 1);
    const before = withoutVersions(await everything(store));
    await store.saveInfo('a', session);
    // They are the same messages: what is the record's own isn't stored with them.
    await store.saveMessages('a', messages);
    await store.saveToolCallRecords('a', calls);
    assert.equal(withoutVersions(await everything(store)), before);
  });

  spec.test('A2 a lease is known by what it holds', async ({ store }) => {
    await createAgent(store, 'a');
    const lease: AgentLease = await store.acquireAgentLock('a');
    await store.appendMessages('a', [user('1')], { lease });
    await store.appendMessages('a', [user('2')], { lease: { ...lease } });
    await store.appendMessages('a', [user('3')], { lease: JSON.parse(JSON.stringify({ ...lease })) });
    assert.equal((await store.loadMessages('a')).length, 3);
    for (const bad of [null, 5, 'lease', {}, { agentId: 'a' }, { ...lease, token: '1' }, new Date()]) {
      await refused(store.appendMessages('a', [user('x')], { lease: wrong(bad) }), 'lease');
    }
    for (const token of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 63]) {
      await refused(store.appendMessages('a', [user('x')], { lease: { ...lease, token } }), 'lease');
    }
    for (const holderId of ['', 'a\u0000b', '\ud800', 'x'.repeat(256)]) {
      const made = store.commit('a', { messages: [user('x')], lease: { ...lease, holderId } });
      await refused(made, 'lease.holderId');
    }
    await lease.release();
  });
}

function numbers(spec: Spec): void {
  spec.test('A4 statistics that no database can count are refused', async ({ store }) => {
    await createAgent(store, 'a');
    for (const value of [
      2 ** 63,
      2 ** 64,
      1e300,
      2 ** 53,
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '1',
      1n,
      null,
    ]) {
      for (const key of [
        'inputTokens',
        'outputTokens',
        'cachedTokens',
        'reasoningTokens',
        'latencyMs',
        'timeToFirstTokenMs',
      ]) {
        await refused(store.commit('a', { usage: [wrong({ model: 'm', [key]: value })] }), `usage[0].${key}`);
      }
    }
    for (const key of ['inputTokens', 'outputTokens', 'cachedTokens', 'reasoningTokens']) {
      await refused(store.commit('a', { usage: [wrong({ model: 'm', [key]: 1.5 })] }), `usage[0].${key}`);
    }
    await store.commit('a', {
      usage: [
        { model: 'm', inputTokens: 0, outputTokens: Number.MAX_SAFE_INTEGER },
        { model: 'm', latencyMs: 1.5, timeToFirstTokenMs: 0.4 },
      ],
    });
    assert.equal((await store.loadInfo('a'))?.version, 2);
  });
}

function advice(spec: Spec): void {
  spec.test(
    'A5 who commits to an agent that is not there is told how to create it, and can',
    async ({ store }) => {
      const change = { info: { userId: 'u' } };
      const error: unknown = await store.commit('a', change).catch((reason: unknown) => reason);
      assert.ok(error instanceof AgentNotFoundError);
      assert.match(error.message, /saveInfo\(\)/);
      assert.match(error.message, /commit\(\{ info, expectedVersion: 0 \}\)/);
      await store.commit('a', { ...change, expectedVersion: 0 });
      await store.commit('a', change);
      await store.saveInfo('b', change.info);
      assert.deepEqual(await store.list(), ['a', 'b']);
    },
  );
}

async function invoke<S>(call: Call<S>, store: S, value: unknown): Promise<unknown> {
  return call(store, value);
}

async function refusedAsUnknown(
  call: () => unknown,
  field: string,
  meant: string | undefined,
): Promise<void> {
  await refused((async () => call())(), field);
  await assert.rejects(
    async () => call(),
    (error: Error) => {
      if (meant === undefined) assert.doesNotMatch(error.message, /did you mean/);
      else assert.ok(error.message.includes(`did you mean "${meant}"?`), error.message);
      return true;
    },
  );
}

/** What every write changes. */
function withoutVersions(text: string): string {
  return text.replace(/"(version|updatedAt)":("[^"]*"|\d+)/g, '');
}
