import assert from 'node:assert/strict';
import { AgentExistsError } from '../errors.ts';
import type { AgentInfo } from '../model/agent.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import {
  asks,
  assistant,
  collect,
  conversation,
  createAgent,
  minute,
  progress,
  refused,
  sameJson,
  user,
} from './samples.ts';

export function forksSpec(spec: Spec): void {
  spec.describe('forks', () => {
    spec.describe('begin with', () => {
      spec.test('the whole conversation', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        const fork = await store.fork('a');
        const again = await reopen();
        sameJson(await again.loadMessages(fork), conversation(4));
        assert.equal((await infoOf(again, fork)).messageCount, 4);
      });

      spec.test('as many messages as they say', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        for (let at = 0; at <= 4; at++) await store.fork('a', { at, agentId: `at ${at}` });
        const again = await reopen();
        for (let at = 0; at <= 4; at++) sameJson(await again.loadMessages(`at ${at}`), conversation(at));
      });

      spec.test("a snapshot's messages", async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await store.saveSnapshot('a', { id: 'two', messages: conversation(2) });
        await store.saveSnapshot('a', { id: 'all' });
        await store.saveSnapshot('a', { id: 'other', messages: conversation(3, 'other ') });
        await store.saveMessages('a', [...conversation(1), user('detour')]);
        for (const id of ['two', 'all', 'other']) await store.fork('a', { at: id, agentId: `from ${id}` });
        const again = await reopen();
        sameJson(await again.loadMessages('from two'), conversation(2));
        sameJson(await again.loadMessages('from all'), conversation(4));
        sameJson(await again.loadMessages('from other'), conversation(3, 'other '));
        await again.appendMessages('from other', [user('on')]);
        sameJson(await (await reopen()).loadMessages('from other'), [
          ...conversation(3, 'other '),
          user('on'),
        ]);
      });

      spec.test(
        'the template, user, metadata and configuration of their parent',
        async ({ store, reopen }) => {
          const info = { templateId: 't', userId: 'u', metadata: { z: 1, a: 2 }, configVersion: '7' };
          const rest = { status: 'running', lastSfpIndex: 3, createdAt: minute(0) } as const;
          await createAgent(store, 'a', conversation(5), { ...info, ...rest });
          await store.appendMessages('a', [user('x')]);
          const before = Date.now();
          await store.fork('a', { agentId: 'whole' });
          await store.fork('a', { agentId: 'part', at: 2 });
          const again = await reopen();
          for (const id of ['whole', 'part']) {
            const fork = await infoOf(again, id);
            const { templateId, userId, metadata, configVersion, status, lineage, version, createdAt } = fork;
            assert.deepEqual({ templateId, userId, metadata, configVersion }, info);
            sameJson(metadata, info.metadata);
            assert.deepEqual({ status, lineage, version }, { status: 'idle', lineage: ['a'], version: 1 });
            assert.ok(createdAt.getTime() > before - 60_000, 'a fork is created when it is forked');
          }
          assert.equal((await infoOf(again, 'whole')).lastSfpIndex, 3);
          assert.equal((await infoOf(again, 'part')).lastSfpIndex, 1);
          const parent = await infoOf(again, 'a');
          assert.deepEqual([parent.version, parent.status, parent.lineage], [2, 'running', []]);
        },
      );

      spec.test('the to-dos, if the whole conversation is theirs', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await store.saveTodos('a', { todos: ['look'] });
        const forks = [
          await store.fork('a'),
          await store.fork('a', { at: 4 }),
          await store.fork('a', { at: 3 }),
        ];
        const again = await reopen();
        const todos = await Promise.all(forks.map((id) => again.loadTodos(id)));
        assert.deepEqual(
          todos.map((one) => one?.todos),
          [['look'], ['look'], undefined],
        );
      });

      spec.test('no events, snapshots or lease', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await store.commit('a', { events: [progress('x')], snapshot: { id: 's' } });
        const lease = await store.acquireAgentLock('a');
        const fork = await store.fork('a');
        await store.appendMessages(fork, [user('free')]);
        assert.equal(await store.appendEvent(fork, progress('first')), 1);
        await lease.release();
        const again = await reopen();
        assert.equal((await collect(again.readEvents(fork))).length, 1);
        assert.deepEqual(await again.listSnapshots(fork), []);
        assert.equal(await again.loadSnapshot(fork, 's'), undefined);
        await refused(again.fork(fork, { at: 's' }), 'at');
      });

      spec.extended('no usage', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        await store.commit('a', { usage: [{ model: 'm', inputTokens: 5 }] });
        const fork = await store.fork('a');
        const again = await reopen();
        assert.deepEqual((await again.aggregateStats(fork)).tokensByModel, {});
        assert.equal((await again.aggregateStats('a')).tokensByModel.m?.inputTokens, 5);
      });
    });

    spec.describe('have', () => {
      spec.test('an id of their own, generated where none is given', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        const ids = [];
        for (let n = 0; n < 5; n++) ids.push(await store.fork('a'));
        for (const id of ids) assert.match(id, /^agt-/);
        assert.equal(await store.fork('a', { agentId: 'mine' }), 'mine');
        assert.deepEqual(await (await reopen()).list(), ['a', 'mine', ...ids].sort());
      });

      spec.test('no id that is taken', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        await createAgent(store, 'b', conversation(1, 'of b '));
        await assert.rejects(store.fork('a', { agentId: 'b' }), AgentExistsError);
        await assert.rejects(store.fork('a', { agentId: 'a' }), AgentExistsError);
        const outcomes = await Promise.allSettled(
          Array.from({ length: 5 }, () => store.fork('a', { agentId: 'contested' })),
        );
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
        const again = await reopen();
        assert.deepEqual(await again.list(), ['a', 'b', 'contested']);
        sameJson(await again.loadMessages('b'), conversation(1, 'of b '));
      });

      spec.test('the lineage of their parent, and the parent', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        await store.fork('a', { agentId: 'b' });
        await store.fork('b', { agentId: 'c', at: 1 });
        await store.fork('c', { agentId: 'd' });
        assert.deepEqual((await infoOf(await reopen(), 'd')).lineage, ['a', 'b', 'c']);
      });
    });

    spec.describe('and their parents write on', () => {
      spec.test('without seeing each other', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(3));
        const fork = await store.fork('a', { at: 2 });
        await store.appendMessages('a', [user('parent')]);
        await store.appendMessages(fork, [user('fork'), assistant('fork')]);
        await store.saveInfo(fork, { metadata: { fork: true }, status: 'running' });
        await store.saveTodos(fork, { todos: ['of the fork'] });
        const again = await reopen();
        sameJson(await again.loadMessages('a'), [...conversation(3), user('parent')]);
        sameJson(await again.loadMessages(fork), [...conversation(2), user('fork'), assistant('fork')]);
        assert.deepEqual((await infoOf(again, 'a')).metadata, {});
        assert.equal(await again.loadTodos('a'), undefined);
      });

      spec.test('two forks in a row are apart', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(3));
        const [one, two] = [await store.fork('a'), await store.fork('a')];
        await store.appendMessages(one, [user('one')]);
        await store.appendMessages(two, [user('two')]);
        const three = await store.fork('a');
        await store.appendMessages('a', [user('parent')]);
        const again = await reopen();
        sameJson(await again.loadMessages(one), [...conversation(3), user('one')]);
        sameJson(await again.loadMessages(two), [...conversation(3), user('two')]);
        sameJson(await again.loadMessages(three), conversation(3));
        sameJson(await again.loadMessages('a'), [...conversation(3), user('parent')]);
      });

      spec.test(
        'a fork of a fork of a fork, each at a place of another generation',
        async ({ store, reopen }) => {
          await createAgent(store, 'a', conversation(4, 'a'));
          await store.fork('a', { agentId: 'b', at: 3 });
          await store.appendMessages('b', conversation(3, 'b'));
          await store.fork('b', { agentId: 'c', at: 5 });
          await store.appendMessages('c', conversation(3, 'c'));
          await store.fork('c', { agentId: 'd', at: 7 });
          await store.fork('c', { agentId: 'in b', at: 4 });
          await store.fork('c', { agentId: 'in a', at: 2 });
          await store.appendMessages('d', conversation(1, 'd'));
          await store.appendMessages('in b', [user('x')]);
          await store.appendMessages('in a', [user('y')]);
          const [a, b, c] = [conversation(3, 'a'), conversation(3, 'b'), conversation(3, 'c')];
          const expected = {
            a: conversation(4, 'a'),
            b: [...a, ...b],
            c: [...a, ...b.slice(0, 2), ...c],
            d: [...a, ...b.slice(0, 2), ...c.slice(0, 2), ...conversation(1, 'd')],
            'in b': [...a, ...b.slice(0, 1), user('x')],
            'in a': [...a.slice(0, 2), user('y')],
          };
          const again = await reopen();
          for (const [id, messages] of Object.entries(expected))
            sameJson(await again.loadMessages(id), messages, id);
        },
      );

      spec.extended('messages of a fork keep the seq and time they had', async ({ store, reopen }) => {
        await store.commit('a', { info: {}, messages: conversation(3), at: minute(0), expectedVersion: 0 });
        const fork = await store.fork('a', { at: 2 });
        await store.appendMessages(fork, [user('x')]);
        const records = await (await reopen()).queryMessages({ agentId: fork, order: 'asc' });
        assert.deepEqual(
          records.map(({ agentId, seq }) => [agentId, seq]),
          [0, 1, 2].map((seq) => [fork, seq]),
        );
        assert.deepEqual([records[0]?.createdAt, records[1]?.createdAt], [minute(0), minute(0)]);
      });

      spec.extended('many at once with batchFork', async ({ store, reopen }) => {
        await createAgent(store, 'a', [...conversation(3), asks('call')]);
        const forks = await store.batchFork('a', 4);
        assert.equal(new Set(forks).size, 4);
        for (const id of forks) await store.appendMessages(id, [user(id)]);
        const again = await reopen();
        for (const id of forks) {
          sameJson(await again.loadMessages(id), [...conversation(3), asks('call'), user(id)]);
          assert.deepEqual((await infoOf(again, id)).lineage, ['a']);
          assert.equal((await again.loadToolCallRecords(id))[0]?.state, 'sealed');
        }
      });
    });

    spec.test("at places that don't exist are refused, and nothing is created", async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(3));
      for (const at of [-1, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 'no such snapshot', '2']) {
        await refused(store.fork('a', { at }), 'at', `${at}`);
      }
      assert.deepEqual(await (await reopen()).list(), ['a']);
    });
  });
}

async function infoOf(store: Store, id: string): Promise<AgentInfo> {
  const info = await store.loadInfo(id);
  assert.ok(info, `agent "${id}" exists`);
  return info;
}
