import assert from 'node:assert/strict';
import type { Message } from '../model/message.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import { callLines } from './call-checks.ts';
import type { Spec, SpecContext } from './harness.ts';
import { randomHistory } from './random-history.ts';
import { answers, asks, assistant, conversation, createAgent, sameJson, user } from './samples.ts';

/** What shared history survives: rewrites and deletions on any side of a fork or a snapshot. */
export function branchesSpec(spec: Spec): void {
  spec.describe('branches', () => {
    spec.describe('rewriting a tail', () => {
      for (let from = 0; from <= 6; from++) {
        spec.test(`from message ${from} on leaves a fork at 3 as it is`, async (context) => {
          const { store } = context;
          await createAgent(store, 'a', conversation(6));
          await store.fork('a', { at: 3, agentId: 'b' });
          const rewritten = [...conversation(from), ...conversation(4, 'other ')];
          await store.saveMessages('a', rewritten);
          await store.appendMessages('b', [user('on')]);
          await store.appendMessages('a', [user('on, too')]);
          await holds(context, { a: [...rewritten, user('on, too')], b: [...conversation(3), user('on')] });
        });

        spec.test(
          `of a fork at 3 from message ${from} on leaves parent and sibling as they are`,
          async (context) => {
            const { store } = context;
            await createAgent(store, 'a', conversation(6));
            await store.fork('a', { at: 3, agentId: 'b' });
            await store.fork('a', { at: 5, agentId: 'c' });
            await store.appendMessages('b', conversation(3, 'b'));
            const rewritten = [...conversation(3), ...conversation(3, 'b')].slice(0, from);
            await store.saveMessages('b', [...rewritten, assistant('other')]);
            await store.appendMessages('a', [user('on')]);
            await holds(context, {
              a: [...conversation(6), user('on')],
              b: [...rewritten, assistant('other')],
              c: conversation(5),
            });
          },
        );
      }

      spec.test('to nothing leaves every fork as it is', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(5));
        const expected: Record<string, Message[]> = {};
        for (let at = 0; at <= 5; at++) {
          expected[await store.fork('a', { at })] = conversation(at);
        }
        await store.saveMessages('a', []);
        await store.appendMessages('a', [user('anew')]);
        await holds(context, { ...expected, a: [user('anew')] });
      });

      spec.test('below the place where a fork of the fork begins', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(4, 'a'));
        await store.fork('a', { at: 3, agentId: 'b' });
        await store.appendMessages('b', conversation(4, 'b'));
        await store.fork('b', { at: 6, agentId: 'c' });
        await store.appendMessages('c', [user('c')]);
        const ofC = [...conversation(3, 'a'), ...conversation(3, 'b'), user('c')];
        await store.saveMessages('b', [...conversation(1, 'a'), user('other b')]);
        await store.saveMessages('a', [user('other a')]);
        await holds(context, { a: [user('other a')], b: [...conversation(1, 'a'), user('other b')], c: ofC });
        await context.store.saveMessages('c', [...ofC.slice(0, 2), user('other c')]);
        await holds(context, { c: [...ofC.slice(0, 2), user('other c')], a: [user('other a')] });
      });

      spec.test('again and again, forked each time', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(3));
        const expected: Record<string, Message[]> = {};
        for (let n = 0; n < 10; n++) {
          const messages = [...conversation(n % 4), ...conversation(2 + (n % 3), `version ${n} `)];
          await store.saveMessages('a', messages);
          expected[await store.fork('a')] = messages;
          expected[await store.fork('a', { at: messages.length - 1 })] = messages.slice(0, -1);
          expected.a = messages;
        }
        await holds(context, expected);
      });

      spec.test('drops the tool calls on the rewritten side alone', async (context) => {
        const { store } = context;
        const steps = [user('x'), asks('one'), answers('one'), asks('two'), answers('two')];
        await createAgent(store, 'a', steps);
        for (const toolCallId of ['one', 'two']) {
          await store.saveToolCallRecords('a', [{ toolCallId, state: 'completed', output: toolCallId }]);
        }
        await store.fork('a', { agentId: 'b' });
        await store.fork('a', { agentId: 'c' });
        await store.saveMessages('a', [user('x'), asks('three')]);
        await store.saveMessages('b', [...steps.slice(0, 3), asks('two', 'four')]);
        await holds(context, {
          a: [user('x'), asks('three')],
          b: [...steps.slice(0, 3), asks('two', 'four')],
          c: steps,
        });
        assert.deepEqual(await callLines(context.store, 'a'), ['0 three pending']);
        assert.deepEqual(await callLines(context.store, 'b'), [
          '0 one completed one',
          '1 two pending',
          '2 four pending',
        ]);
        assert.deepEqual(await callLines(context.store, 'c'), ['0 one completed one', '1 two completed two']);
      });
    });

    spec.describe('deleting', () => {
      /** a ← b ← c ← d, each with messages of its own; c begins within b, d within a. */
      async function family(store: Store): Promise<Record<string, Message[]>> {
        await createAgent(store, 'a', conversation(3, 'a'));
        await store.fork('a', { agentId: 'b' });
        await store.appendMessages('a', [user('a on')]);
        await store.appendMessages('b', conversation(3, 'b'));
        await store.fork('b', { agentId: 'c', at: 5 });
        await store.appendMessages('c', conversation(2, 'c'));
        await store.fork('c', { agentId: 'd', at: 2 });
        await store.appendMessages('d', [user('d')]);
        const [a, b, c] = [conversation(3, 'a'), conversation(3, 'b'), conversation(2, 'c')];
        return {
          a: [...a, user('a on')],
          b: [...a, ...b],
          c: [...a, ...b.slice(0, 2), ...c],
          d: [...a.slice(0, 2), user('d')],
        };
      }

      for (const order of ['abcd', 'dcba', 'bcda', 'cbad', 'acbd', 'dabc', 'bdac', 'cadb']) {
        spec.test(`in the order ${order} takes none but the named one`, async (context) => {
          const alive = await family(context.store);
          for (const id of order) {
            await context.store.delete(id);
            delete alive[id];
            await holds(context, alive);
            assert.deepEqual(await context.store.list(), Object.keys(alive).sort());
          }
        });
      }

      spec.test('the parent leaves a fork that can be written, rewritten and forked', async (context) => {
        await family(context.store);
        for (const id of ['a', 'b']) await context.store.delete(id);
        const store = await context.reopen();
        const before = await store.loadMessages('c');
        await store.fork('c', { agentId: 'e' });
        await store.saveMessages('c', [...before.slice(0, 1), user('other')]);
        await store.appendMessages('e', [user('e')]);
        await holds(context, { c: [...before.slice(0, 1), user('other')], e: [...before, user('e')] });
      });

      spec.test('the parent leaves a fork its tool calls', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [user('x'), asks('one', 'two')]);
        await store.saveToolCallRecords('a', [{ toolCallId: 'one', state: 'completed', output: 1 }]);
        await store.appendMessages('a', [answers('one')]);
        await store.fork('a', { agentId: 'b' });
        await store.delete('a');
        await holds(context, { b: [user('x'), asks('one', 'two'), answers('one')] });
        assert.deepEqual(await callLines(context.store, 'b'), ['0 one completed 1', '1 two sealed']);
        await context.store.appendMessages('b', [asks('three')]);
        assert.equal((await callLines(await context.reopen(), 'b')).at(-1), '2 three pending');
      });

      spec.test('an agent leaves what was forked from its snapshots', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(4));
        await store.saveSnapshot('a', { id: 'reference' });
        await store.saveSnapshot('a', { id: 'own', messages: conversation(3, 'own ') });
        await store.saveMessages('a', [user('rewritten')]);
        await store.fork('a', { at: 'reference', agentId: 'b' });
        await store.fork('a', { at: 'own', agentId: 'c' });
        await store.delete('a');
        await holds(context, { b: conversation(4), c: conversation(3, 'own ') });
      });

      spec.test("a fork leaves the parent's snapshots, which hold what it held", async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(4));
        await store.saveSnapshot('a', { id: 's' });
        await store.fork('a', { at: 's', agentId: 'b' });
        await store.saveMessages('a', conversation(1));
        await store.delete('b');
        await holds(context, { a: conversation(1) });
        sameJson((await context.store.loadSnapshot('a', 's'))?.messages, conversation(4));
      });

      spec.test('and using the id again leaves forks of the former one alone', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(4));
        await store.fork('a', { agentId: 'b', at: 3 });
        await store.delete('a');
        await createAgent(store, 'a', conversation(2, 'second '));
        await store.fork('a', { agentId: 'c' });
        await store.appendMessages('a', [user('on')]);
        await holds(context, {
          a: [...conversation(2, 'second '), user('on')],
          b: conversation(3),
          c: conversation(2, 'second '),
        });
        await context.store.delete('b');
        await createAgent(context.store, 'b', [user('second b')]);
        await holds(context, { b: [user('second b')], c: conversation(2, 'second ') });
      });

      spec.extended('all leaves nothing behind', async (context) => {
        const ids = Object.keys(await family(context.store));
        await context.store.saveSnapshot('b', { id: 's' });
        await context.store.saveMessages('b', []);
        for (const id of ids) await context.store.delete(id);
        const store = await context.reopen();
        const { totalAgents, totalMessages, totalSnapshots } = await store.aggregateStats({});
        assert.deepEqual(
          { totalAgents, totalMessages, totalSnapshots },
          { totalAgents: 0, totalMessages: 0, totalSnapshots: 0 },
        );
        assert.deepEqual(await store.queryMessages(), []);
        assert.equal((await store.checkConsistency()).consistent, true);
      });
    });

    spec.test(
      'sixty generations deep are read, rewritten and thinned out',
      async (context) => {
        const { store } = context;
        await createAgent(store, 'g0', [user('0')]);
        for (let n = 1; n < 60; n++) {
          await store.fork(`g${n - 1}`, { agentId: `g${n}` });
          await store.appendMessages(`g${n}`, [user(`${n}`)]);
        }
        const upTo = (n: number) => Array.from({ length: n + 1 }, (_, k) => user(`${k}`));
        await holds(context, { g0: upTo(0), g30: upTo(30), g59: upTo(59) });
        for (let n = 0; n < 59; n++) if (n % 7 !== 0) await context.store.delete(`g${n}`);
        await context.store.saveMessages('g59', [...upTo(20), user('other')]);
        await context.store.fork('g56', { agentId: 'late', at: 33 });
        await holds(context, {
          g59: [...upTo(20), user('other')],
          g56: upTo(56),
          g28: upTo(28),
          late: upTo(32),
        });
        assert.equal((await context.store.loadInfo('g59'))?.lineage.length, 59);
      },
      60_000,
    );

    for (const seed of [1, 2, 3]) {
      spec.test(
        `any order of operations keeps every history (${seed})`,
        async (context) => {
          const history = randomHistory(seed);
          for (let round = 0; round < 5; round++) {
            for (let n = 0; n < 25; n++) await history.step(context.store);
            await holds(context, history.conversations());
            for (const [agentId, id, messages] of history.snapshots()) {
              sameJson(
                (await context.store.loadSnapshot(agentId, id))?.messages,
                messages,
                `${agentId}: ${id}`,
              );
            }
          }
        },
        60_000,
      );
    }
  });
}

/** Reopens the store; these agents have exactly these messages, and the store finds no fault with itself. */
async function holds(context: SpecContext, expected: Record<string, Message[]>): Promise<void> {
  const store = await context.reopen();
  for (const [id, messages] of Object.entries(expected)) {
    sameJson(await store.loadMessages(id), messages, `messages of ${id}`);
    assert.equal((await store.loadInfo(id))?.messageCount, messages.length, `messageCount of ${id}`);
  }
  if (context.backend.capabilities.extended) {
    assert.deepEqual((await (store as ExtendedStore).checkConsistency()).issues, []);
  }
}
