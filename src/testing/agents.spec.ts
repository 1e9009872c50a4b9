import assert from 'node:assert/strict';
import { AgentExistsError, AgentNotFoundError } from '../errors.ts';
import type { AgentInfo } from '../model/agent.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { collect, createAgent, minute, progress, refused, sameJson, user, wrong } from './samples.ts';

/** Everything that needs an agent, each on the agent `id`. */
const NEEDS_AGENT: Record<string, (store: Store, id: string) => Promise<unknown>> = {
  commit: (store, id) => store.commit(id, { messages: [user('hello')] }),
  'commit of info': (store, id) => store.commit(id, { info: { status: 'running' } }),
  'commit of an event': (store, id) => store.commit(id, { events: [progress('x')] }),
  saveMessages: (store, id) => store.saveMessages(id, [user('hello')]),
  appendMessages: (store, id) => store.appendMessages(id, [user('hello')]),
  loadMessages: (store, id) => store.loadMessages(id),
  loadContext: (store, id) => store.loadContext(id),
  saveToolCallRecords: (store, id) =>
    store.saveToolCallRecords(id, [{ toolCallId: 'a', toolName: 'search' }]),
  loadToolCallRecords: (store, id) => store.loadToolCallRecords(id),
  loadOpenCalls: (store, id) => store.loadOpenCalls(id),
  saveTodos: (store, id) => store.saveTodos(id, { todos: [] }),
  loadTodos: (store, id) => store.loadTodos(id),
  loadCompactions: (store, id) => store.loadCompactions(id),
  loadAgent: (store, id) => store.loadAgent(id),
  loadWorkingSet: (store, id) => store.loadWorkingSet(id),
  appendEvent: (store, id) => store.appendEvent(id, progress('x')),
  readEvents: (store, id) => collect(store.readEvents(id)),
  saveDelta: (store, id) => store.saveDelta(id, { text: 'x' }),
  loadDelta: (store, id) => store.loadDelta(id),
  isWatched: (store, id) => store.isWatched(id),
  saveSnapshot: (store, id) => store.saveSnapshot(id, { id: 'before' }),
  loadSnapshot: (store, id) => store.loadSnapshot(id, 'before'),
  listSnapshots: (store, id) => store.listSnapshots(id),
  fork: (store, id) => store.fork(id),
  saveDocument: (store, id) => store.saveDocument(id, { kind: 'media-cache', name: 'x', content: 1 }),
  loadDocument: (store, id) => store.loadDocument(id, 'media-cache', 'x'),
  listDocuments: (store, id) => store.listDocuments(id, 'media-cache'),
  acquireAgentLock: (store, id) => store.acquireAgentLock(id),
  decideApproval: (store, id) => store.decideApproval(id, 'a', { decision: 'allow' }),
};

const EXTENDED_NEEDS_AGENT: Record<string, (store: ExtendedStore, id: string) => Promise<unknown>> = {
  aggregateStats: (store, id) => store.aggregateStats(id),
  batchFork: (store, id) => store.batchFork(id, 2),
  watch: (store, id) => collect(store.watch(id)),
};

const BAD_IDS: Record<string, string> = {
  empty: '',
  'a path out of the store': '../x',
  'a slash': 'a/b',
  'a backslash': 'a\\b',
  'a dot': '.',
  'two dots': '..',
  NUL: 'a\u0000b',
  'a line break': 'a\nb',
  'an escape character': 'a\u001bb',
  'half a surrogate pair': 'a\ud83d',
  '256 bytes': 'x'.repeat(256),
  '256 bytes in 128 characters': 'é'.repeat(128),
};

const GOOD_IDS = [
  'x'.repeat(255),
  `${'é'.repeat(127)}x`,
  "a'b; DROP TABLE agents",
  'two words',
  '%',
  '_',
  'Case',
  'case',
  'ünï\u{1f600}',
  'CON',
  'a:b*?"<>|',
  'ends with a dot.',
  '...',
];

export function agentsSpec(spec: Spec): void {
  spec.describe('agents', () => {
    spec.describe('creating', () => {
      spec.test('saveInfo creates an agent with the defaults', async ({ store, reopen }) => {
        const before = Date.now();
        await store.saveInfo('bare', {});
        const info = await loaded(await reopen(), 'bare');
        const { createdAt, updatedAt, ...rest } = info;
        assert.deepEqual(rest, {
          agentId: 'bare',
          attempts: 0,
          templateId: 'default',
          status: 'idle',
          configVersion: '1',
          lineage: [],
          messageCount: 0,
          lastSfpIndex: -1,
          metadata: {},
          version: 1,
        });
        for (const instant of [createdAt, updatedAt]) {
          assert.ok(instant instanceof Date);
          assert.ok(Math.abs(instant.getTime() - before) < 60_000);
        }
      });

      spec.test('everything that is given is kept', async ({ store, reopen }) => {
        const given = {
          templateId: 'chat-assistant',
          userId: 'user-1',
          status: 'running',
          createdAt: minute(0),
          configVersion: '2.4',
          lineage: ['root', 'middle'],
          parentAgentId: 'boss',
          parentToolCallId: 'call/7',
          lastSfpIndex: 3,
          lastBookmark: { seq: 9, timestamp: minute(1).getTime() },
          breakpoint: 'BEFORE_TOOL',
          metadata: { z: 1, a: { deep: [true, null] } },
        } as const;
        await store.saveInfo('full', { ...given, lineage: [...given.lineage] });
        const info: Partial<AgentInfo> = await loaded(await reopen(), 'full');
        for (const [key, value] of Object.entries(given))
          assert.deepEqual(info[key as keyof AgentInfo], value, key);
        sameJson(info.metadata, given.metadata);
      });

      spec.test('createdAt may be a date, an ISO string or epoch milliseconds', async ({ store, reopen }) => {
        await store.saveInfo('date', { createdAt: minute(5) });
        await store.saveInfo('text', { createdAt: wrong(minute(5).toISOString()) });
        await store.saveInfo('number', { createdAt: wrong(minute(5).getTime()) });
        const again = await reopen();
        for (const id of ['date', 'text', 'number']) {
          assert.deepEqual((await loaded(again, id)).createdAt, minute(5), id);
        }
        await refused(again.saveInfo('bad', { createdAt: new Date(Number.NaN) }), 'createdAt');
        assert.equal(await again.exists('bad'), false);
      });

      spec.test('commit with expectedVersion 0 creates once', async ({ store, reopen }) => {
        const result = await store.commit('new', { info: { templateId: 'first' }, expectedVersion: 0 });
        assert.deepEqual(result, { version: 1, messageCount: 0, cursor: 0 });
        const again = store.commit('new', { info: { templateId: 'second' }, expectedVersion: 0 });
        await assert.rejects(again, AgentExistsError);
        const info = await loaded(await reopen(), 'new');
        assert.equal(info.templateId, 'first');
        assert.equal(info.version, 1);
      });

      spec.test('of many creators at one moment, one wins', async ({ store, reopen }) => {
        await oneWinner([store, store, store, store, store, store]);
        const messages = await (await reopen()).loadMessages('contested');
        assert.equal(messages.length, 1);
      });

      spec.shared('of many creators in two stores, one wins', async (context) => {
        const other = await context.another();
        const winner = await oneWinner([context.store, other, context.store, other, context.store, other]);
        sameJson(await (await context.reopen()).loadMessages('contested'), [user(`creator ${winner}`)]);
      });
    });

    spec.describe('updating', () => {
      spec.test('only what is given changes', async ({ store, reopen }) => {
        await store.saveInfo('a', { templateId: 't', userId: 'u', metadata: { k: 1 }, breakpoint: 'READY' });
        await store.saveInfo('a', { status: 'running', userId: undefined });
        const info = await loaded(await reopen(), 'a');
        assert.equal(info.templateId, 't');
        assert.equal(info.userId, 'u');
        assert.equal(info.breakpoint, 'READY');
        assert.equal(info.status, 'running');
        assert.deepEqual(info.metadata, { k: 1 });
        assert.equal(info.version, 2);
      });

      spec.test('null clears what is optional', async ({ store, reopen }) => {
        const optional = ['userId', 'breakpoint', 'lastBookmark', 'parentAgentId', 'parentToolCallId'];
        await store.saveInfo('a', {
          userId: 'u',
          breakpoint: 'READY',
          lastBookmark: { seq: 1, timestamp: 1 },
          parentAgentId: 'boss',
          parentToolCallId: 'call',
        });
        await store.saveInfo('a', wrong(Object.fromEntries(optional.map((key) => [key, null]))));
        const info = await loaded(await reopen(), 'a');
        for (const key of optional) assert.ok(!(key in info), `${key} is gone`);
      });

      spec.test('createdAt is set once', async ({ store, reopen }) => {
        await store.saveInfo('a', { createdAt: minute(0) });
        await store.saveInfo('a', { createdAt: minute(9), status: 'running' });
        assert.deepEqual((await loaded(await reopen(), 'a')).createdAt, minute(0));
      });

      spec.test("messageCount, version and updatedAt are the store's own", async ({ store, reopen }) => {
        await store.saveInfo('a', { messageCount: 40, version: 50, updatedAt: minute(1) });
        await store.saveInfo('a', { messageCount: 41, version: 51, updatedAt: minute(2) });
        const info = await loaded(await reopen(), 'a');
        assert.equal(info.messageCount, 0);
        assert.equal(info.version, 2);
        assert.ok(info.updatedAt > minute(60));
      });

      spec.test('what was loaded can be saved again as it is', async ({ store, reopen }) => {
        await store.saveInfo('a', { userId: 'u', metadata: { b: 1, a: 2 }, lastSfpIndex: 4 });
        const info = await loaded(store, 'a');
        await store.saveInfo('a', { ...info, status: 'interrupted' });
        const { updatedAt: _, ...saved } = await loaded(await reopen(), 'a');
        const { updatedAt: __, ...before } = info;
        sameJson(saved, { ...before, status: 'interrupted', version: 2 });
      });

      spec.test('another id or an unknown status is refused', async ({ store, reopen }) => {
        await store.saveInfo('a', {});
        await refused(store.saveInfo('a', { agentId: 'b' }), 'agentId');
        await refused(store.saveInfo('a', { status: wrong('asleep') }), 'status');
        await refused(store.saveInfo('new', { agentId: 'b' }), 'agentId');
        const again = await reopen();
        assert.deepEqual(await again.list(), ['a']);
        assert.equal((await loaded(again, 'a')).version, 1);
      });
    });

    spec.describe("that don't exist", () => {
      spec.test('are an AgentNotFoundError, and nothing is created', async ({ store, reopen }) => {
        await store.saveInfo('other', {});
        for (const [name, call] of Object.entries(NEEDS_AGENT)) {
          await assert.rejects(async () => call(store, 'missing'), AgentNotFoundError, name);
        }
        assert.deepEqual(await (await reopen()).list(), ['other']);
      });

      spec.test("have no info, don't exist, and are deleted without complaint", async ({ store }) => {
        assert.equal(await store.loadInfo('missing'), undefined);
        assert.equal(await store.exists('missing'), false);
        await store.delete('missing');
      });

      spec.extended('have no statistics, no forks and nothing to watch', async ({ store }) => {
        for (const [name, call] of Object.entries(EXTENDED_NEEDS_AGENT)) {
          await assert.rejects(async () => call(store, 'missing'), AgentNotFoundError, name);
        }
        assert.deepEqual(await store.queryMessages({ agentId: 'missing' }), []);
        assert.deepEqual(await store.queryToolCalls({ agentId: 'missing' }), []);
      });
    });

    spec.describe('ids', () => {
      for (const [name, id] of Object.entries(BAD_IDS)) {
        spec.test(`with ${name} are refused by every call`, async ({ store, reopen }) => {
          await createAgent(store, 'kept', [user('hello')]);
          await refused(store.saveInfo(id, {}), 'agentId');
          await refused(store.commit(id, { info: {}, expectedVersion: 0 }), 'agentId');
          await refused(store.delete(id), 'agentId');
          await refused(store.exists(id), 'agentId');
          await refused(store.loadInfo(id), 'agentId');
          await refused(store.fork('kept', { agentId: id }), 'agentId');
          for (const [call, run] of Object.entries(NEEDS_AGENT))
            await refused(run(store, id), 'agentId', call);
          const again = await reopen();
          assert.deepEqual(await again.list(), ['kept']);
          assert.equal((await again.loadMessages('kept')).length, 1);
        });
      }

      spec.test("that aren't strings are refused", async ({ store }) => {
        for (const id of [undefined, null, 7, {}, ['a']])
          await refused(store.saveInfo(wrong(id), {}), 'agentId');
      });

      spec.test('of every other kind stay apart', async ({ store, reopen }) => {
        for (const id of GOOD_IDS) await createAgent(store, id, [user(id)]);
        const again = await reopen();
        for (const id of GOOD_IDS) {
          assert.equal((await loaded(again, id)).agentId, id);
          sameJson(await again.loadMessages(id), [user(id)]);
        }
        await again.delete('case');
        assert.equal(await (await reopen()).exists('Case'), true);
      });
    });
  });
}

async function loaded(store: Store, id: string): Promise<AgentInfo> {
  const info = await store.loadInfo(id);
  assert.ok(info, `agent "${id}" exists`);
  return info;
}

/** Each creator writes a message of its own; returns the index of the one that won. */
async function oneWinner(creators: Store[]): Promise<number> {
  const outcomes = await Promise.allSettled(
    creators.map((store, n) =>
      store.commit('contested', { info: {}, messages: [user(`creator ${n}`)], expectedVersion: 0 }),
    ),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      assert.ok(outcome.reason instanceof AgentExistsError, `${outcome.reason}`);
  }
  const winners = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []));
  assert.equal(winners.length, 1, 'one creator wins');
  return winners[0] ?? -1;
}
