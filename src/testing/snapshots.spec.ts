import assert from 'node:assert/strict';
import { LeaseNotHeldError } from '../errors.ts';
import type { Message } from '../model/message.ts';
import type { Spec, SpecContext } from './harness.ts';
import {
  answers,
  asks,
  assistant,
  conversation,
  createAgent,
  minute,
  refused,
  sameJson,
  text,
  user,
  wrong,
} from './samples.ts';

export function snapshotsSpec(spec: Spec): void {
  spec.describe('snapshots', () => {
    spec.describe('give back', () => {
      spec.test('the conversation as it was', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(3));
        await store.saveSnapshot('a', { id: 's' });
        await store.appendMessages('a', conversation(2, 'later '));
        await holds(context, { s: conversation(3) });
      });

      spec.test('the messages they were saved with, if these begin the conversation', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(5));
        await store.saveSnapshot('a', { id: 'all', messages: conversation(5) });
        await store.saveSnapshot('a', { id: 'some', messages: conversation(2) });
        await store.saveSnapshot('a', { id: 'none', messages: [] });
        await holds(context, { all: conversation(5), some: conversation(2), none: [] });
      });

      spec.test('the messages they were saved with, if these are others', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(3));
        const own: Record<string, Message[]> = {
          other: conversation(2, 'other '),
          longer: conversation(6),
          'with another end': [...conversation(2), assistant('end')],
          'with keys in another order': [{ content: [text('m0')], role: 'user' }],
        };
        for (const [id, messages] of Object.entries(own)) await store.saveSnapshot('a', { id, messages });
        await holds(context, own);
        sameJson(await context.store.loadMessages('a'), conversation(3));
      });

      spec.test('the conversation after the commit they came with', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(2));
        await store.commit('a', { messages: [user('x'), assistant('y')], snapshot: { id: 's' } });
        await holds(context, { s: [...conversation(2), user('x'), assistant('y')] });
      });

      spec.test('an empty conversation', async (context) => {
        await createAgent(context.store, 'a');
        await context.store.saveSnapshot('a', { id: 's' });
        await context.store.appendMessages('a', conversation(2));
        await holds(context, { s: [] });
      });

      spec.test('what else was said of them', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        const said = {
          id: 's',
          lastSfpIndex: 1,
          lastBookmark: { seq: 7, timestamp: minute(1).getTime() },
          createdAt: minute(2),
          metadata: { z: 1, a: ['x'] },
        };
        await store.saveSnapshot('a', said);
        await store.saveSnapshot('a', { ...said, id: 'own', messages: conversation(1, 'other ') });
        const again = await reopen();
        assert.deepEqual(await again.loadSnapshot('a', 's'), { ...said, messages: conversation(2) });
        const own = await again.loadSnapshot('a', 'own');
        assert.deepEqual(own, { ...said, id: 'own', messages: conversation(1, 'other ') });
        sameJson(own?.metadata, said.metadata);
      });

      spec.test('nothing under an id that has none', async ({ store }) => {
        await createAgent(store, 'a', conversation(2));
        await createAgent(store, 'b', conversation(2));
        await store.saveSnapshot('b', { id: 's' });
        assert.equal(await store.loadSnapshot('a', 's'), undefined);
        assert.deepEqual(await store.listSnapshots('a'), []);
      });
    });

    spec.describe('survive', () => {
      const before = [user('x'), asks('call'), answers('call'), assistant('done')];
      const rewrites: Record<string, Message[]> = {
        'another tail': [...before.slice(0, 2), user('never mind')],
        'a longer tail': [...before.slice(0, 3), ...conversation(6)],
        truncation: before.slice(0, 1),
        'truncation to nothing': [],
        'a wholly other conversation': conversation(9, 'other '),
      };
      for (const [name, after] of Object.entries(rewrites)) {
        spec.test(name, async (context) => {
          const { store } = context;
          await createAgent(store, 'a', before);
          await store.saveSnapshot('a', { id: 'all' });
          await store.saveSnapshot('a', { id: 'two', messages: before.slice(0, 2) });
          await store.saveMessages('a', after);
          await holds(context, { all: before, two: before.slice(0, 2) });
          sameJson(await context.store.loadMessages('a'), after);
        });
      }

      spec.test('many rewrites, each with a snapshot of its own', async (context) => {
        await createAgent(context.store, 'a', conversation(2));
        const expected: Record<string, Message[]> = {};
        for (let n = 0; n < 8; n++) {
          const messages = [...conversation(2), ...conversation(1 + ((n * 3) % 5), `version ${n} `)];
          await context.store.saveMessages('a', messages);
          await context.store.saveSnapshot('a', { id: `s${n}` });
          expected[`s${n}`] = messages;
        }
        await holds(context, expected);
      });

      spec.test('a rewrite back to what they hold', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(4));
        await store.saveSnapshot('a', { id: 's' });
        await store.saveMessages('a', [...conversation(1), user('detour')]);
        await store.saveMessages('a', conversation(4));
        await store.appendMessages('a', [user('on')]);
        await holds(context, { s: conversation(4) });
        sameJson(await context.store.loadMessages('a'), [...conversation(4), user('on')]);
      });
    });

    spec.describe('are replaced under their id', () => {
      spec.test('by a later position, an earlier one, other messages, and back', async (context) => {
        await createAgent(context.store, 'a', conversation(4));
        const versions = [undefined, conversation(2), conversation(3, 'other '), conversation(1), undefined];
        for (const messages of versions) {
          await context.store.saveSnapshot('a', { id: 's', messages });
          await holds(context, { s: messages ?? conversation(4) });
        }
      });

      spec.test('after a rewrite', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(4));
        await store.saveSnapshot('a', { id: 's' });
        await store.saveSnapshot('a', { id: 'kept' });
        await store.saveMessages('a', [...conversation(1), user('detour')]);
        await store.saveSnapshot('a', { id: 's', metadata: { second: true } });
        await holds(context, { s: [...conversation(1), user('detour')], kept: conversation(4) });
      });

      spec.test('without what the former one said', async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        await store.saveSnapshot('a', {
          id: 's',
          metadata: { old: 1 },
          lastBookmark: { seq: 1, timestamp: 1 },
        });
        await store.saveSnapshot('a', { id: 's' });
        const snapshot = await (await reopen()).loadSnapshot('a', 's');
        assert.ok(snapshot && !('metadata' in snapshot) && !('lastBookmark' in snapshot));
      });
    });

    spec.test('are listed with their position', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(4));
      await store.saveSnapshot('a', { id: 'all', lastSfpIndex: 3, createdAt: minute(1), metadata: { k: 1 } });
      await store.saveSnapshot('a', {
        id: 'own',
        messages: conversation(3, 'other '),
        lastSfpIndex: 0,
        lastBookmark: { seq: 2, timestamp: 5 },
        createdAt: minute(2),
      });
      const list = await (await reopen()).listSnapshots('a');
      assert.deepEqual(
        list.toSorted((one, other) => (one.id < other.id ? -1 : 1)),
        [
          { id: 'all', messageCount: 4, lastSfpIndex: 3, createdAt: minute(1), metadata: { k: 1 } },
          {
            id: 'own',
            messageCount: 3,
            lastSfpIndex: 0,
            lastBookmark: { seq: 2, timestamp: 5 },
            createdAt: minute(2),
          },
        ],
      );
    });

    spec.test('of two agents may have one id', async ({ store, reopen }) => {
      for (const id of ['a', 'b']) {
        await createAgent(store, id, conversation(2, id));
        await store.saveSnapshot(id, { id: 'same' });
      }
      await store.delete('a');
      const again = await reopen();
      sameJson((await again.loadSnapshot('b', 'same'))?.messages, conversation(2, 'b'));
    });

    spec.test('need the lease while there is one', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      const lease = await store.acquireAgentLock('a');
      await assert.rejects(store.saveSnapshot('a', { id: 'no' }), LeaseNotHeldError);
      await store.saveSnapshot('a', { id: 'yes' }, { lease });
      const list = await (await reopen()).listSnapshots('a');
      assert.deepEqual(
        list.map(({ id }) => id),
        ['yes'],
      );
    });

    spec.test('with bad ids or messages are refused', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      for (const id of [
        '',
        '.',
        '..',
        '../x',
        'a/b',
        'a\\b',
        'a\u0000',
        'a\n',
        '\ud800',
        'x'.repeat(256),
        7,
      ]) {
        await refused(store.saveSnapshot('a', { id: wrong(id) }), 'id');
      }
      await refused(
        store.saveSnapshot('a', { id: 's', messages: wrong([{ role: 'tool', content: [] }]) }),
        'role',
      );
      await refused(store.saveSnapshot('a', { id: 's', messages: wrong('x') }), 'messages');
      await store.saveSnapshot('a', { id: 'ünï 😀:*?' });
      const list = await (await reopen()).listSnapshots('a');
      assert.deepEqual(
        list.map(({ id }) => id),
        ['ünï 😀:*?'],
      );
    });
  });
}

async function holds(context: SpecContext, expected: Record<string, Message[]>): Promise<void> {
  const store = await context.reopen();
  for (const [id, messages] of Object.entries(expected)) {
    const snapshot = await store.loadSnapshot('a', id);
    assert.equal(snapshot?.id, id);
    sameJson(snapshot.messages, messages, `snapshot ${id}`);
  }
  assert.deepEqual(
    (await store.listSnapshots('a')).map(({ id, messageCount }) => `${id}: ${messageCount}`).sort(),
    Object.entries(expected)
      .map(([id, messages]) => `${id}: ${messages.length}`)
      .sort(),
  );
}
