import assert from 'node:assert/strict';
import { AgentNotFoundError, LeaseNotHeldError } from '../errors.ts';
import type { Spec } from './harness.ts';
import { asks, collect, conversation, createAgent, progress, sameJson, user } from './samples.ts';

/** Listing and deleting agents, and using an id again. */
export function agentLifetimeSpec(spec: Spec): void {
  spec.describe('listing agents', () => {
    spec.test('an empty store has none', async ({ store }) => {
      assert.deepEqual(await store.list(), []);
      assert.deepEqual(await store.list('a'), []);
    });

    spec.test('the prefix is literal and case-sensitive', async ({ store, reopen }) => {
      for (const id of ['a_1', 'ab1', 'A_1', 'a%1', '%', '%x', '_', '[a-z]', 'a*', 'b'])
        await store.saveInfo(id, {});
      const again = await reopen();
      const found: Record<string, string[]> = {
        a_: ['a_1'],
        'a%': ['a%1'],
        '%': ['%', '%x'],
        _: ['_'],
        '[a': ['[a-z]'],
        'a*': ['a*'],
        A: ['A_1'],
        ab1: ['ab1'],
        ab12: [],
        B: [],
        "' OR 1=1 --": [],
      };
      for (const [prefix, ids] of Object.entries(found))
        assert.deepEqual(await again.list(prefix), ids, prefix);
      assert.equal((await again.list('')).length, 10);
    });

    spec.test('the order is that of the bytes, beyond the basic plane too', async ({ store, reopen }) => {
      // By bytes U+FF5E comes before U+1F600; by UTF-16 code units it comes after.
      const ordered = [
        '10',
        '9',
        'Z',
        'a',
        'é',
        'x\ud7ff',
        'x\ue000',
        '\uff5e',
        '\u{1f600}',
        '\u{10ffff}',
      ].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const id of [...ordered].reverse()) await store.saveInfo(id, {});
      const again = await reopen();
      assert.deepEqual(await again.list(), ordered);
      for (const id of ['x\ud7ff', '\u{1f600}', '\u{10ffff}', '\uff5e'])
        assert.deepEqual(await again.list(id), [id]);
      assert.deepEqual(await again.list('x'), ['x\ud7ff', 'x\ue000']);
    });

    spec.test('forks are in it, deleted agents are not', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      await store.fork('a', { agentId: 'a-fork' });
      await store.fork('a', { agentId: 'a-gone' });
      await store.delete('a-gone');
      assert.deepEqual(await (await reopen()).list('a'), ['a', 'a-fork']);
    });
  });

  spec.describe('deleting an agent', () => {
    spec.test('takes it and nothing else', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(3));
      await createAgent(store, 'ab', conversation(5));
      await store.delete('a');
      const again = await reopen();
      assert.equal(await again.exists('a'), false);
      assert.equal(await again.loadInfo('a'), undefined);
      await assert.rejects(again.loadMessages('a'), AgentNotFoundError);
      assert.deepEqual(await again.list(), ['ab']);
      sameJson(await again.loadMessages('ab'), conversation(5));
    });

    spec.test('works twice, and while somebody holds its lease', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const lease = await store.acquireAgentLock('a');
      await store.delete('a');
      await store.delete('a');
      await assert.rejects(store.commit('a', { messages: [user('late')], lease }), AgentNotFoundError);
      assert.equal(await (await reopen()).exists('a'), false);
    });

    spec.test('at one moment with a commit leaves all of it or none of it', async ({ store, reopen }) => {
      for (let round = 0; round < 10; round++) {
        const id = await createAgent(store, `a${round}`, conversation(2));
        const commit = store.commit(id, { messages: [asks('call')], events: [progress('x')] });
        const [committed, deleted] = await Promise.allSettled([commit, store.delete(id)]);
        assert.equal(deleted.status, 'fulfilled');
        if (committed.status === 'rejected') assert.ok(committed.reason instanceof AgentNotFoundError);
      }
      assert.deepEqual(await (await reopen()).list(), []);
    });
  });

  spec.describe('an id used again after deletion', () => {
    spec.test('names an agent with nothing of the former one', async ({ store, reopen }) => {
      await createAgent(store, 'a', [...conversation(2), asks('old call')], {
        userId: 'u',
        metadata: { old: true },
      });
      await store.commit('a', {
        events: [progress('old'), progress('old')],
        todos: { todos: ['old'] },
        snapshot: { id: 'old' },
        compaction: { seq: 1, messages: [user('old')] },
        usage: [{ model: 'm', inputTokens: 1 }],
        operationId: 'op',
      });
      await store.saveDocument('a', { kind: 'media-cache', name: 'old', content: 1 });
      await store.saveDelta('a', { text: 'old' });
      await store.delete('a');
      await createAgent(store, 'a', [user('new')]);

      const again = await reopen();
      const { info, messages, toolCalls, todos, ...rest } = await again.loadAgent('a');
      assert.equal(info.version, 1);
      assert.deepEqual(info.metadata, {});
      assert.ok(!('userId' in info));
      sameJson(messages, [user('new')]);
      assert.deepEqual(toolCalls, []);
      assert.equal(todos, undefined);
      assert.equal(rest.compaction, undefined);
      assert.deepEqual(await collect(again.readEvents('a')), []);
      assert.deepEqual(await again.listSnapshots('a'), []);
      assert.equal(await again.loadSnapshot('a', 'old'), undefined);
      assert.deepEqual(await again.listDocuments('a', 'media-cache'), []);
      assert.deepEqual(await again.loadDelta('a'), []);
      assert.equal(await again.appendEvent('a', progress('new')), 1);
    });

    spec.test('has forgotten the operations and the lease of the former one', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const lease = await store.acquireAgentLock('a');
      await store.commit('a', { messages: [user('x')], lease, operationId: 'op' });
      await store.delete('a');
      await createAgent(store, 'a');
      await store.commit('a', { messages: [user('x')], operationId: 'op' });
      await assert.rejects(store.commit('a', { messages: [user('y')], lease }), LeaseNotHeldError);
      sameJson(await (await reopen()).loadMessages('a'), [user('x')]);
    });

    spec.test('as often as one likes', async ({ store, reopen }) => {
      for (let life = 1; life <= 5; life++) {
        await createAgent(store, 'a', conversation(life, `life ${life} `));
        sameJson(await store.loadMessages('a'), conversation(life, `life ${life} `));
        await store.delete('a');
      }
      assert.deepEqual(await (await reopen()).list(), []);
    });
  });
}
