import assert from 'node:assert/strict';
import type { Message } from '../model/message.ts';
import type { Spec, SpecContext } from './harness.ts';
import { assistant, conversation, createAgent, refused, sameJson, text, user, wrong } from './samples.ts';

export function messagesSpec(spec: Spec): void {
  spec.describe('messages', () => {
    spec.describe('appending', () => {
      spec.test('keeps the order of calls and of messages', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        assert.deepEqual(await store.loadMessages('a'), []);
        await store.appendMessages('a', conversation(3));
        await store.appendMessages('a', [assistant('x')]);
        await store.commit('a', { messages: [user('y'), assistant('z')] });
        const again = await reopen();
        sameJson(await again.loadMessages('a'), [
          ...conversation(3),
          assistant('x'),
          user('y'),
          assistant('z'),
        ]);
        assert.equal((await again.loadInfo('a'))?.messageCount, 6);
      });

      spec.test('equal messages are messages each', async ({ store, reopen }) => {
        await createAgent(store, 'a', [user('again')]);
        await store.appendMessages('a', [user('again'), user('again')]);
        await store.appendMessages('a', [user('again')]);
        sameJson(
          await (await reopen()).loadMessages('a'),
          Array.from({ length: 4 }, () => user('again')),
        );
      });

      spec.test('nothing changes nothing', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        await store.appendMessages('a', []);
        sameJson(await (await reopen()).loadMessages('a'), conversation(2));
      });

      spec.test('at one moment loses nothing and mixes nothing', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const batches = Array.from({ length: 25 }, (_, n) => conversation(4, `batch ${n} `));
        await Promise.all(batches.map((batch) => store.appendMessages('a', batch)));
        const messages = await (await reopen()).loadMessages('a');
        assert.equal(messages.length, 100);
        const found = [];
        for (let n = 0; n < 100; n += 4) found.push(JSON.stringify(messages.slice(n, n + 4)));
        assert.deepEqual(found.sort(), batches.map((batch) => JSON.stringify(batch)).sort());
      });

      spec.test(
        'thousands come back in order',
        async ({ store, reopen }) => {
          await createAgent(store, 'a');
          for (let n = 0; n < 3000; n += 500)
            await store.appendMessages('a', conversation(500, `part ${n} `));
          const expected = [0, 500, 1000, 1500, 2000, 2500].flatMap((n) => conversation(500, `part ${n} `));
          sameJson(await (await reopen()).loadMessages('a'), expected);
        },
        60_000,
      );
    });

    spec.describe('saving all of them', () => {
      const replaced = (name: string, before: Message[], after: Message[]) =>
        spec.test(name, async (context) => {
          await createAgent(context.store, 'a', before);
          await context.store.saveMessages('a', after);
          await holds(context, after);
          await context.store.appendMessages('a', [user('goes on')]);
          await holds(context, [...after, user('goes on')]);
        });

      replaced('into an empty conversation', [], conversation(4));
      replaced('the same', conversation(4), conversation(4));
      replaced('longer', conversation(2), conversation(6));
      replaced('shorter', conversation(6), conversation(2));
      replaced('none', conversation(6), []);
      replaced('none again', [], []);
      replaced('another tail', conversation(6), [...conversation(3), assistant('other'), user('end')]);
      replaced('another tail, shorter', conversation(6), [...conversation(2), assistant('end')]);
      replaced('another tail, longer', conversation(3), [...conversation(2), ...conversation(5, 'other ')]);
      replaced('another beginning', conversation(4), [assistant('other'), ...conversation(4).slice(1)]);
      replaced('one removed from the middle', conversation(5), conversation(5).toSpliced(2, 1));
      replaced('one inserted in the middle', conversation(5), conversation(5).toSpliced(2, 0, user('new')));
      replaced(
        'keys in another order are another message',
        [user('x'), { role: 'user', content: [text('y')], metadata: { a: 1, b: 2 } }, user('z')],
        [user('x'), { role: 'user', metadata: { b: 2, a: 1 }, content: [text('y')] }, user('z')],
      );

      spec.test('again and again as the conversation grows and is cut', async (context) => {
        await createAgent(context.store, 'a');
        for (const length of [1, 2, 5, 3, 3, 8, 0, 4, 7, 6]) {
          const messages = [
            ...conversation(Math.floor(length / 2)),
            ...conversation(length, `until ${length} `),
          ];
          await context.store.saveMessages('a', messages);
          await holds(context, messages);
        }
      });

      spec.test(
        "rewriting a long conversation's second half",
        async (context) => {
          await createAgent(context.store, 'a', conversation(2000));
          const rewritten = [...conversation(1000), ...conversation(700, 'other ')];
          await context.store.saveMessages('a', rewritten);
          await holds(context, rewritten);
        },
        60_000,
      );
    });

    spec.extended('have a gap-free seq, also after rewriting', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(6));
      await store.saveMessages('a', [...conversation(2), ...conversation(3, 'other ')]);
      await store.appendMessages('a', conversation(2, 'more '));
      const records = await (await reopen()).queryMessages({ agentId: 'a', order: 'asc' });
      assert.deepEqual(
        records.map(({ seq }) => seq),
        [0, 1, 2, 3, 4, 5, 6],
      );
      sameJson(
        records.map(({ content }) => content),
        [...conversation(2), ...conversation(3, 'other '), ...conversation(2, 'more ')].map(
          ({ content }) => content,
        ),
      );
    });

    spec.test('are copies: changing what was passed or loaded changes nothing stored', async (context) => {
      const { store } = context;
      const passed = conversation(3);
      await createAgent(store, 'a', passed);
      await store.saveSnapshot('a', { id: 's' });
      for (const list of [passed, await store.loadMessages('a'), (await store.loadAgent('a')).messages]) {
        list[0]?.content.push(text('changed'));
        list.pop();
      }
      (await store.loadSnapshot('a', 's'))?.messages.pop();
      sameJson(await store.loadMessages('a'), conversation(3));
      sameJson((await store.loadSnapshot('a', 's'))?.messages, conversation(3));
      await store.saveMessages('a', [...conversation(3), user('more')]);
      await holds(context, [...conversation(3), user('more')]);
    });

    spec.test("of one agent are not another's", async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(3, 'of a '));
      await createAgent(store, 'b', conversation(2, 'of b '));
      await store.saveMessages('a', []);
      const again = await reopen();
      assert.deepEqual(await again.loadMessages('a'), []);
      sameJson(await again.loadMessages('b'), conversation(2, 'of b '));
    });

    spec.test("that aren't messages are refused, and what is there stays", async (context) => {
      const { store } = context;
      await createAgent(store, 'a', conversation(3));
      const bad: [unknown, string][] = [
        [{ role: 'user' }, 'content'],
        [{ content: [] }, 'role'],
        [{ role: 'User', content: [] }, 'role'],
        [{ role: 'user', content: { type: 'text', text: 'x' } }, 'content'],
        [{ role: 'user', content: ['x'] }, 'content'],
        [{ role: 'user', content: [{ type: 7 }] }, 'type'],
        ['user: hello', 'messages'],
      ];
      for (const [message, field] of bad) {
        await refused(store.appendMessages('a', [user('fine'), wrong(message)]), field);
        await refused(store.saveMessages('a', [user('fine'), wrong(message)]), field);
      }
      await refused(store.saveMessages('a', wrong('no list')), 'messages');
      await holds(context, conversation(3));
    });
  });
}

async function holds(context: SpecContext, expected: Message[]): Promise<void> {
  const store = await context.reopen();
  sameJson(await store.loadMessages('a'), expected);
  assert.equal((await store.loadInfo('a'))?.messageCount, expected.length);
}
