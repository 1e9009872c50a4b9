import assert from 'node:assert/strict';
import type { Message } from '../model/message.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { assistant, conversation, createAgent, minute, refused, sameJson, user, wrong } from './samples.ts';

const SUMMARY = [user('So far: nothing.'), assistant('Understood.')];

export function compactionsSpec(spec: Spec): void {
  spec.describe('compactions', () => {
    const compact = (store: Store, seq: number, messages: Message[] = SUMMARY, id = 'a') =>
      store.commit(id, { compaction: { seq, messages } });

    spec.test('without one the context is the conversation', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(4));
      const again = await reopen();
      sameJson(await again.loadContext('a'), conversation(4));
      assert.deepEqual(await again.loadCompactions('a'), []);
      assert.equal((await again.loadAgent('a')).compaction, undefined);
    });

    spec.test('stand for the first messages, and what follows stays', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(6));
      await compact(store, 4);
      const again = await reopen();
      sameJson(await again.loadContext('a'), [...SUMMARY, ...conversation(6).slice(4)]);
      await again.appendMessages('a', [user('next')]);
      sameJson(await (await reopen()).loadContext('a'), [
        ...SUMMARY,
        ...conversation(6).slice(4),
        user('next'),
      ]);
    });

    spec.test('leave the archive whole', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(6));
      await compact(store, 6);
      const again = await reopen();
      sameJson(await again.loadMessages('a'), conversation(6));
      assert.equal((await again.loadInfo('a'))?.messageCount, 6);
    });

    spec.test('the last one counts', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(8));
      await compact(store, 3, [user('first summary')]);
      await compact(store, 6, [user('second summary')]);
      const again = await reopen();
      sameJson(await again.loadContext('a'), [user('second summary'), ...conversation(8).slice(6)]);
      assert.deepEqual(
        (await again.loadCompactions('a')).map(({ seq }) => seq),
        [3, 6],
      );
      sameJson((await again.loadAgent('a')).compaction?.messages, [user('second summary')]);
    });

    spec.test('come back with their metadata and instant', async ({ store, reopen }) => {
      await store.commit('a', { info: {}, messages: conversation(2), at: minute(0), expectedVersion: 0 });
      const compaction = { seq: 1, messages: SUMMARY, metadata: { z: 1, a: { model: 'm' } } };
      await store.commit('a', { compaction, at: minute(2) });
      const [record] = await (await reopen()).loadCompactions('a');
      assert.deepEqual(record, { ...compaction, createdAt: minute(2) });
      sameJson(record?.metadata, compaction.metadata);
    });

    spec.test('may replace none, all, and by nothing', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      await compact(store, 0, [user('prologue')]);
      sameJson(await store.loadContext('a'), [user('prologue'), ...conversation(2)]);
      await compact(store, 2, []);
      sameJson(await (await reopen()).loadContext('a'), []);
    });

    spec.test('count the messages of their own commit', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      const compaction = { seq: 4, messages: SUMMARY };
      await refused(store.commit('a', { messages: [user('x')], compaction }), 'seq');
      await store.commit('a', { messages: [user('x'), assistant('y')], compaction });
      sameJson(await (await reopen()).loadContext('a'), SUMMARY);
    });

    spec.test("at a place that isn't in the conversation are refused", async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      for (const seq of [-1, 0.5, 3, Number.NaN, wrong<number>('1'), wrong<number>(undefined)]) {
        await refused(compact(store, seq), 'seq');
      }
      await refused(store.commit('a', { compaction: wrong({ seq: 1, messages: 'so far' }) }), 'messages');
      assert.deepEqual(await (await reopen()).loadCompactions('a'), []);
    });

    spec.describe('and rewrites:', () => {
      spec.test('one that replaces rewritten messages is dropped', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(8));
        await compact(store, 2, [user('first summary')]);
        await compact(store, 6, [user('second summary')]);
        const rewritten = [...conversation(4), user('another way')];
        await store.saveMessages('a', rewritten);
        const again = await reopen();
        sameJson(await again.loadContext('a'), [user('first summary'), ...rewritten.slice(2)]);
        assert.equal((await again.loadCompactions('a')).length, 1);
      });

      spec.test('one that ends where the rewrite begins stays', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(6));
        await compact(store, 4);
        await store.saveMessages('a', [...conversation(4), user('another way')]);
        sameJson(await (await reopen()).loadContext('a'), [...SUMMARY, user('another way')]);
      });
    });

    spec.describe('and forks:', () => {
      spec.test('a fork of a fork that did nothing but compact has it, too', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await store.fork('a', { agentId: 'b' });
        await store.commit('b', { compaction: { seq: 2, messages: SUMMARY } });
        await store.saveSnapshot('b', { id: 's' });
        await store.fork('b', { agentId: 'whole' });
        await store.fork('b', { agentId: 'part', at: 4 });
        await store.commit('b', { messages: [user('later')] });
        await store.fork('b', { agentId: 'of-snapshot', at: 's' });
        await store.fork('b', { agentId: 'earlier', at: 4 });
        await store.delete('b');
        const again = await reopen();
        for (const id of ['whole', 'part', 'of-snapshot', 'earlier']) {
          sameJson(await again.loadContext(id), [...SUMMARY, ...conversation(4).slice(2)], id);
        }
        sameJson(await again.loadContext('a'), conversation(4));
      });

      spec.test(
        "one that a rewrite moves to where a fork began is not the fork's",
        async ({ store, reopen }) => {
          await createAgent(store, 'a', conversation(5));
          await compact(store, 2);
          await store.fork('a', { agentId: 'b', at: 3 });
          await store.saveMessages('a', conversation(3));
          const again = await reopen();
          sameJson(await again.loadContext('a'), [...SUMMARY, ...conversation(3).slice(2)]);
          sameJson(await again.loadContext('b'), conversation(3));
        },
      );

      spec.test('one made where a fork began outlives a rewrite to there', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await store.fork('a', { agentId: 'b' });
        await compact(store, 2, SUMMARY, 'b');
        await store.appendMessages('b', [user('later')]);
        await store.fork('b', { agentId: 'c' });
        await store.saveMessages('b', conversation(4));
        const again = await reopen();
        sameJson(await again.loadContext('b'), [...SUMMARY, ...conversation(4).slice(2)]);
        sameJson(await again.loadContext('c'), [...SUMMARY, ...conversation(4).slice(2), user('later')]);
      });

      spec.test("one made before the fork's position is the fork's too", async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await compact(store, 2);
        await store.appendMessages('a', conversation(3, 'later '));
        const whole = await store.fork('a');
        const there = await store.fork('a', { at: 4 });
        const grandchild = await store.fork(whole, { at: 5 });
        const again = await reopen();
        const rest = conversation(4).slice(2);
        sameJson(await again.loadContext(whole), [...SUMMARY, ...rest, ...conversation(3, 'later ')]);
        sameJson(await again.loadContext(there), [...SUMMARY, ...rest]);
        sameJson(await again.loadContext(grandchild), [...SUMMARY, ...rest, ...conversation(1, 'later ')]);
      });

      spec.test('one made after it is not', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(6));
        await compact(store, 2);
        const before = await store.fork('a', { at: 5 });
        const again = await reopen();
        sameJson(await again.loadContext(before), conversation(5));
        assert.deepEqual(await again.loadCompactions(before), []);
      });

      spec.test("each side's later ones are its own", async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        const fork = await store.fork('a');
        await compact(store, 4, [user('of the parent')]);
        await compact(store, 2, [user('of the fork')], fork);
        const again = await reopen();
        sameJson(await again.loadContext('a'), [user('of the parent')]);
        sameJson(await again.loadContext(fork), [user('of the fork'), ...conversation(4).slice(2)]);
      });

      spec.test(
        "the parent's later one isn't the fork's, even without a message in between",
        async (context) => {
          await createAgent(context.store, 'a', conversation(2));
          const fork = await context.store.fork('a');
          await compact(context.store, 1, [user('of the parent')]);
          const again = await context.reopen();
          sameJson(await again.loadContext(fork), conversation(2));
          sameJson(await again.loadContext('a'), [user('of the parent'), ...conversation(2).slice(1)]);
        },
      );

      spec.test('one of an empty conversation is inherited like any other', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        await compact(store, 0, [user('said before')]);
        const fork = await store.fork('a');
        await store.appendMessages(fork, conversation(1));
        sameJson(await (await reopen()).loadContext(fork), [user('said before'), ...conversation(1)]);
      });

      spec.test('one that is inherited outlives the parent', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(4));
        await compact(store, 3);
        const fork = await store.fork('a');
        await store.delete('a');
        sameJson(await (await reopen()).loadContext(fork), [...SUMMARY, ...conversation(4).slice(3)]);
      });

      spec.test("one that the parent drops in a rewrite stays the fork's", async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(6));
        await compact(store, 4);
        const fork = await store.fork('a');
        await store.saveMessages('a', conversation(1));
        const again = await reopen();
        sameJson(await again.loadContext('a'), conversation(1));
        sameJson(await again.loadContext(fork), [...SUMMARY, ...conversation(6).slice(4)]);
      });
    });
  });
}
