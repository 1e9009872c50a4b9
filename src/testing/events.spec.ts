import assert from 'node:assert/strict';
import type { Channel, StoredEvent, TurnCommit } from '../model/agent.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import {
  assistant,
  collect,
  conversation,
  createAgent,
  event,
  minute,
  progress,
  refused,
  sameJson,
  user,
  wrong,
} from './samples.ts';

const CHANNELS: readonly Channel[] = ['progress', 'control', 'monitor'];

export function eventsSpec(spec: Spec): void {
  spec.describe('events', () => {
    spec.describe('get a cursor', () => {
      spec.test(
        'from 1 on, without a gap, over all channels and ways of writing',
        async ({ store, reopen }) => {
          await createAgent(store, 'a');
          assert.equal(await store.appendEvent('a', event('monitor', 'one')), 1);
          assert.equal(await store.appendEvent('a', event('progress', 'two')), 2);
          const result = await store.commit('a', {
            messages: [user('x')],
            events: [event('control', 'three'), event('monitor', 'four')],
          });
          assert.equal(result.cursor, 4);
          assert.equal((await store.commit('a', { messages: [user('y')] })).cursor, 4);
          assert.equal((await store.commit('a', { events: [progress('five')] })).cursor, 5);
          const again = await reopen();
          assert.equal(await again.appendEvent('a', progress('six')), 6);
          const events = await collect(again.readEvents('a'));
          assert.deepEqual(
            events.map(({ cursor }) => cursor),
            [1, 2, 3, 4, 5, 6],
          );
          assert.deepEqual(types(events), ['one', 'two', 'three', 'four', 'five', 'six']);
        },
      );

      spec.test("of each agent's own", async ({ store, reopen }) => {
        await createAgent(store, 'a');
        await createAgent(store, 'b');
        assert.equal(await store.appendEvent('a', progress('of a')), 1);
        assert.equal(await store.appendEvent('b', progress('of b')), 1);
        assert.equal(await store.appendEvent('a', progress('of a')), 2);
        assert.deepEqual(types(await collect((await reopen()).readEvents('b'))), ['of b']);
      });

      spec.test("that a refused commit doesn't use up", async ({ store, reopen }) => {
        await createAgent(store, 'a');
        await store.appendEvent('a', progress('one'));
        const bad = { events: [progress('lost')], toolCalls: [{ toolCallId: 'nameless' }] };
        await refused(store.commit('a', bad), 'toolName');
        assert.equal(await store.appendEvent('a', progress('two')), 2);
        assert.deepEqual(types(await collect((await reopen()).readEvents('a'))), ['one', 'two']);
      });

      spec.test('each, when many are written at one moment', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const cursors = await Promise.all([
          ...Array.from({ length: 60 }, (_, n) => store.appendEvent('a', progress(`event ${n}`))),
          ...Array.from({ length: 20 }, (_, n) =>
            store
              .commit('a', { messages: [user(`${n}`)], events: [progress(`commit ${n}`)] })
              .then(({ cursor }) => cursor),
          ),
        ]);
        assert.deepEqual(ordered(cursors), upTo(80));
        const events = await collect((await reopen()).readEvents('a'));
        assert.deepEqual(
          events.map(({ cursor }) => cursor),
          upTo(80),
        );
        for (let n = 0; n < 60; n++) assert.equal(events[(cursors[n] ?? 0) - 1]?.event.type, `event ${n}`);
      });

      spec.shared('each, when two stores write', async (context) => {
        const { store } = context;
        await createAgent(store, 'a');
        const other = await context.another();
        const cursors = await Promise.all(
          Array.from({ length: 60 }, (_, n) =>
            (n % 2 ? store : other).appendEvent('a', progress(`event ${n}`)),
          ),
        );
        assert.deepEqual(ordered(cursors), upTo(60));
        const events = await collect((await context.reopen()).readEvents('a'));
        for (const [n, cursor] of cursors.entries())
          assert.equal(events[cursor - 1]?.event.type, `event ${n}`);
      });
    });

    spec.describe('are read', () => {
      /** Ten events on the three channels in turn. */
      async function ten(store: Store): Promise<void> {
        await createAgent(store, 'a');
        for (let n = 1; n <= 10; n++)
          await store.appendEvent('a', event(CHANNELS[n % 3] ?? 'progress', `${n}`));
      }
      const read = async (store: Store, options: Parameters<Store['readEvents']>[1]) =>
        types(await collect(store.readEvents('a', options)));

      spec.test('with their cursor, bookmark and what was written', async ({ store, reopen }) => {
        await store.commit('a', { info: {}, at: minute(0), expectedVersion: 0 });
        const written = { type: 'tool', nested: { z: 1, a: [] }, channel: 'monitor' as const, empty: '' };
        await store.commit('a', { events: [written], at: minute(2) });
        const [stored] = await collect((await reopen()).readEvents('a'));
        assert.deepEqual(stored, {
          cursor: 1,
          bookmark: { seq: 1, timestamp: minute(2).getTime() },
          event: written,
        });
        sameJson(stored?.event, written);
      });

      spec.test('of one channel, with the cursors they have', async ({ store, reopen }) => {
        await ten(store);
        const again = await reopen();
        assert.deepEqual(await read(again, { channel: 'control' }), ['1', '4', '7', '10']);
        assert.deepEqual(await read(again, { channel: 'monitor' }), ['2', '5', '8']);
        assert.deepEqual(await read(again, { channel: 'progress', since: 3 }), ['6', '9']);
        const events = await collect(again.readEvents('a', { channel: 'monitor' }));
        assert.deepEqual(
          events.map(({ cursor }) => cursor),
          [2, 5, 8],
        );
      });

      spec.test('from anywhere within what was committed together', async ({ store, reopen }) => {
        await store.commit('a', { info: {}, at: minute(0), expectedVersion: 0 });
        const events = Array.from({ length: 10 }, (_, n) => event(CHANNELS[n % 3] ?? 'progress', `${n + 1}`));
        await store.commit('a', { messages: [user('x')], events: events.slice(0, 4), at: minute(1) });
        await store.commit('a', { events: events.slice(4, 9), at: minute(2) });
        await store.appendEvent('a', events[9] ?? progress('x'));
        const again = await reopen();
        for (const channel of [undefined, ...CHANNELS]) {
          for (let since = 0; since <= 10; since++) {
            const expected = events.flatMap((one, n) =>
              n >= since && (channel === undefined || one.channel === channel) ? [`${n + 1}`] : [],
            );
            assert.deepEqual(await read(again, { channel, since }), expected);
          }
        }
        const times = (await collect(again.readEvents('a'))).map(({ bookmark }) => bookmark.timestamp);
        assert.deepEqual(times.slice(3, 5), [minute(1).getTime(), minute(2).getTime()]);
      });

      spec.test('newest first, of any channel and down to any cursor', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const written: Channel[] = [];
        // One, many and none of a channel in a commit.
        for (const size of [1, 4, 2, 1, 7, 3]) {
          const events = Array.from({ length: size }, (_, n) => CHANNELS[(n * size) % 3] ?? 'progress');
          written.push(...events);
          await store.commit('a', { events: events.map((channel) => event(channel, channel)) });
        }
        const again = await reopen();
        for (const channel of [undefined, ...CHANNELS]) {
          for (let since = 0; since <= written.length + 1; since++) {
            const options = { channel, since };
            const newest = await collect(again.readEvents('a', { ...options, order: 'desc' }));
            assert.deepEqual(newest, (await collect(again.readEvents('a', options))).reverse());
          }
        }
        for await (const { cursor } of again.readEvents('a', { order: 'desc' })) {
          assert.equal(cursor, written.length);
          break;
        }
      });

      spec.test('newest first, by the moment when the reading began', async ({ store }) => {
        await createAgent(store, 'a');
        for (let n = 0; n < 120; n += 1) await store.appendEvent('a', progress(`${n + 1}`));
        const seen: number[] = [];
        for await (const { cursor } of store.readEvents('a', { order: 'desc' })) {
          seen.push(cursor);
          if (cursor % 50 === 0) await store.appendEvent('a', progress('later'));
        }
        assert.deepEqual(seen, upTo(120).reverse());
      });

      spec.test('since a cursor: what comes after it', async ({ store, reopen }) => {
        await ten(store);
        const again = await reopen();
        assert.equal((await read(again, { since: 0 })).length, 10);
        assert.equal((await read(again, {})).length, 10);
        assert.equal((await read(again, { since: undefined, channel: undefined })).length, 10);
        assert.deepEqual(await read(again, { since: 8 }), ['9', '10']);
        assert.deepEqual(await read(again, { since: 10 }), []);
        assert.deepEqual(await read(again, { since: 99 }), []);
      });

      spec.test('since a bookmark, of whatever channel', async ({ store, reopen }) => {
        await ten(store);
        const again = await reopen();
        const events = await collect(again.readEvents('a'));
        for (const [n, { bookmark }] of events.entries()) {
          assert.equal((await read(again, { since: bookmark })).length, 9 - n);
        }
        assert.deepEqual(await read(again, { since: { seq: 9 } }), ['10']);
        const third = events[2]?.bookmark;
        assert.deepEqual(await read(again, { since: third, channel: 'control' }), ['4', '7', '10']);
      });

      spec.test('by one who stops early and goes on later', async ({ store, reopen }) => {
        await ten(store);
        const again = await reopen();
        const seen: string[] = [];
        let since = 0;
        while (seen.length < 10) {
          for await (const { cursor, event } of again.readEvents('a', { since })) {
            seen.push(event.type);
            since = cursor;
            if (cursor % 4 === 0) break;
          }
        }
        assert.deepEqual(seen, upTo(10).map(String));
      });

      spec.test(
        'in thousands, in order',
        async ({ store, reopen }) => {
          await createAgent(store, 'a');
          for (let n = 0; n < 2500; n += 500) {
            await store.commit('a', {
              events: Array.from({ length: 500 }, (_, k) => progress(`${n + k + 1}`)),
            });
          }
          assert.deepEqual(types(await collect((await reopen()).readEvents('a'))), upTo(2500).map(String));
        },
        60_000,
      );

      spec.test('while others are written, each once', async ({ store }) => {
        await ten(store);
        const seen: number[] = [];
        for await (const { cursor } of store.readEvents('a')) {
          seen.push(cursor);
          if (cursor <= 10) await store.appendEvent('a', progress('later'));
        }
        assert.deepEqual(seen, upTo(seen.length));
        assert.ok(seen.length >= 10);
      });
    });

    spec.test("of a channel or type that doesn't exist are refused", async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await refused(store.appendEvent('a', event(wrong('gossip'), 'x')), 'channel');
      await refused(store.appendEvent('a', wrong({ type: 'x' })), 'channel');
      await refused(store.appendEvent('a', wrong({ channel: 'progress' })), 'type');
      for (const type of ['', 'x'.repeat(256), 'a\u0000', '\ud800']) {
        await refused(store.appendEvent('a', progress(type)), 'type');
      }
      await refused(collect(store.readEvents('a', { channel: wrong('gossip') })), 'channel');
      await refused(collect(store.readEvents('a', { order: wrong('newest') })), 'order');
      await refused(collect(store.readEvents('a', wrong({ chanel: 'progress' }))), 'chanel');
      await refused(collect(store.readEvents('a', { since: -1 })), 'since');
      await refused(collect(store.readEvents('a', { since: wrong({ seq: 'x' }) })), 'since');
      assert.equal(await (await reopen()).appendEvent('a', progress('x'.repeat(255))), 1);
    });

    spec.test('need no lease', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const lease = await store.acquireAgentLock('a');
      await store.appendEvent('a', progress('one'));
      await store.commit('a', { events: [progress('two')] });
      await store.commit('a', { messages: [user('x')], lease });
      await lease.release();
      assert.deepEqual(types(await collect((await reopen()).readEvents('a'))), ['one', 'two']);
    });
  });

  spec.describe('deltas', () => {
    spec.test('M4 are pieces of text, each of which is added to the ones before', async ({ store }) => {
      await createAgent(store, 'a');
      assert.deepEqual(await store.loadDelta('a'), []);
      await store.saveDelta('a', { text: 'Once' });
      await store.saveDelta('a', { text: ' upon', z: 1, a: null });
      await store.saveDelta('a', { text: 'Once' });
      const pieces = [{ text: 'Once' }, { text: ' upon', z: 1, a: null }, { text: 'Once' }];
      sameJson(await store.loadDelta('a'), pieces);
      sameJson(await store.loadDelta('a'), pieces);
    });

    spec.test('M4 are gone with their step: with messages, and with a status', async ({ store, reopen }) => {
      const ends: TurnCommit[] = [
        { messages: [assistant('Once upon a time')] },
        { info: { status: 'interrupted' } },
        { messages: [user('x')], info: { status: 'running' }, events: [progress('x')] },
      ];
      await createAgent(store, 'a');
      for (const end of ends) {
        await store.saveDelta('a', { text: 'Once' });
        await store.saveDelta('a', { text: ' upon' });
        await store.commit('a', { todos: { todos: [1] }, events: [progress('x')] });
        await store.appendEvent('a', progress('y'));
        sameJson(await store.loadDelta('a'), [{ text: 'Once' }, { text: ' upon' }]);
        await store.commit('a', end);
        assert.deepEqual(await store.loadDelta('a'), []);
      }
      await store.saveDelta('a', { text: 'Twice' });
      await store.saveMessages('a', []);
      assert.deepEqual(await store.loadDelta('a'), []);
      assert.deepEqual(await (await reopen()).loadDelta('a'), []);
    });

    spec.test('are no events, raise no version and need no lease', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      const lease = await store.acquireAgentLock('a');
      await store.saveDelta('a', { text: 'x' });
      await lease.release();
      const again = await reopen();
      assert.equal((await again.loadInfo('a'))?.version, 1);
      assert.deepEqual(await collect(again.readEvents('a')), []);
      assert.equal(await again.appendEvent('a', progress('x')), 1);
    });

    spec.test("are each agent's own, and no fork's", async ({ store }) => {
      await createAgent(store, 'a', conversation(2));
      await store.saveDelta('a', { text: 'of a' });
      const fork = await store.fork('a');
      assert.deepEqual(await store.loadDelta(fork), []);
      sameJson(await store.loadDelta('a'), [{ text: 'of a' }]);
    });

    spec.clocked('M4 tell their writer whether somebody watches', async ({ store, clock }) => {
      await createAgent(store, 'a');
      await createAgent(store, 'b');
      assert.equal(await store.isWatched('a'), false);
      assert.equal(await store.saveDelta('a', { text: 'x' }), false);
      await store.loadDelta('a');
      assert.equal(await store.isWatched('a'), true);
      assert.equal(await store.saveDelta('a', { text: 'y' }), true);
      assert.equal(await store.isWatched('b'), false);
      await clock.advance(20_000);
      await store.loadDelta('a');
      await clock.advance(20_000);
      assert.equal(await store.isWatched('a'), true);
      await clock.advance(20_000);
      assert.equal(await store.isWatched('a'), false);
      assert.equal(await store.saveDelta('a', { text: 'z' }), false);
    });
  });
}

function types(events: StoredEvent[]): string[] {
  return events.map(({ event }) => event.type);
}

function ordered(numbers: number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, n) => n + 1);
}
