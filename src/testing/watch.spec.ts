import assert from 'node:assert/strict';
import { AgentNotFoundError, StoreClosedError } from '../errors.ts';
import type { ExtendedStore, WatchItem } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { assistant, collect, createAgent, event, progress, user } from './samples.ts';
import { until, within } from './timing.ts';

type EventItem = Extract<WatchItem, { kind: 'event' }>;

/** Watches until `enough` says so, then lets go. Streamed text is passed over. */
async function watchEvents(
  store: ExtendedStore,
  agentId: string,
  since: number,
  enough: (item: EventItem) => boolean,
): Promise<EventItem[]> {
  const seen: EventItem[] = [];
  for await (const item of store.watch(agentId, { since })) {
    if (item.kind !== 'event') continue;
    seen.push(item);
    if (enough(item)) break;
  }
  return seen;
}

/** A promise that somebody else fulfils. */
function signalled(): { given: Promise<void>; give(): void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

function cursors(items: { cursor: number }[]): number[] {
  return items.map((item) => item.cursor);
}

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

export function watchSpec(spec: Spec): void {
  spec.describe('watch', () => {
    following(spec);
    streamedText(spec);
    ending(spec);
    underWriters(spec);
  });
}

function following(spec: Spec): void {
  spec.extended('gives what is there, then what comes', async ({ store }) => {
    await createAgent(store, 'a');
    await store.appendEvent('a', progress('one'));
    const first = signalled();
    const watching = watchEvents(store, 'a', 0, (item) => {
      first.give();
      return item.cursor === 3;
    });
    await within(first.given, 'the event that is there');
    await store.appendEvent('a', event('control', 'two', { n: 2 }));
    await store.commit('a', { events: [event('monitor', 'three')], messages: [user('x')] });
    const seen = await within(watching, 'watching three events');
    const read = await collect(store.readEvents('a'));
    assert.deepEqual(
      seen,
      read.map((stored) => ({ kind: 'event', ...stored })),
    );
  });

  spec.shared('follows what another store writes', async (context) => {
    const writer = await context.another();
    await createAgent(writer, 'a');
    const watching = watchEvents(context.store, 'a', 0, (item) => item.cursor === 20);
    for (let n = 1; n <= 10; n += 1) {
      await writer.appendEvent('a', progress('alone', { n }));
      await writer.commit('a', { messages: [user(`${n}`)], events: [progress('with a message', { n })] });
    }
    assert.deepEqual(cursors(await within(watching, 'watching another store', 20_000)), upTo(20));
  });

  spec.extended('begins after a cursor or a bookmark', async (context) => {
    await createAgent(context.store, 'a');
    for (let n = 1; n <= 5; n += 1) await context.store.appendEvent('a', progress('e', { n }));
    const store = await context.reopen();
    const last = (item: EventItem) => item.cursor === 5;
    assert.deepEqual(cursors(await within(watchEvents(store, 'a', 3, last), 'since 3')), [4, 5]);
    const [, second = assert.fail('a second event')] = await collect(store.readEvents('a'));
    for await (const item of store.watch('a', { since: second.bookmark })) {
      assert.ok(item.kind === 'event');
      assert.equal(item.cursor, 3);
      break;
    }
  });

  spec.extended('is of one agent', async ({ store }) => {
    await createAgent(store, 'a');
    await createAgent(store, 'b');
    const watching = watchEvents(store, 'a', 0, (item) => item.event.type === 'last');
    for (let n = 0; n < 5; n += 1) await store.appendEvent('b', progress('not mine'));
    await store.appendEvent('a', progress('last'));
    assert.equal((await within(watching, 'watching a')).length, 1);
  });

  spec.extended('needs an agent that exists', async ({ store }) => {
    await assert.rejects(async () => collect(store.watch('nobody')), AgentNotFoundError);
  });
}

function streamedText(spec: Spec): void {
  spec.shared('M4 gives each piece of streamed text once, in order, as no event', async (context) => {
    const writer = await context.another();
    await createAgent(writer, 'a');
    const deltas: unknown[] = [];
    const watching = (async () => {
      for await (const item of context.store.watch('a', { since: 0 })) {
        if (item.kind === 'event') continue;
        deltas.push(item.delta.n);
        if (item.delta.n === 9) break;
      }
    })();
    await until(() => writer.isWatched('a'), 'the watch is announced');
    for (let n = 0; n < 10; n += 1) {
      assert.equal(await writer.saveDelta('a', { n }), true);
      if (n === 4) await until(() => deltas.length === 5, 'the first five pieces are seen');
    }
    await within(watching, 'watching streamed text', 20_000);
    assert.deepEqual(deltas, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await collect(context.store.readEvents('a')), []);
    assert.equal((await context.store.loadInfo('a'))?.version, 1);
  });

  spec.extended('M4 gives who comes late the pieces so far, then those that follow', async ({ store }) => {
    await createAgent(store, 'a');
    for (const text of ['Once', ' upon']) await store.saveDelta('a', { text });
    const seen: unknown[] = [];
    for await (const item of store.watch('a', { since: 0 })) {
      if (item.kind !== 'delta') continue;
      seen.push(item.delta.text);
      if (seen.length === 2) await store.saveDelta('a', { text: ' a time' });
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, ['Once', ' upon', ' a time']);
  });

  spec.extended('M4 goes on with the next step, also after one that left no message', async ({ store }) => {
    await createAgent(store, 'a');
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const item of store.watch('a', { since: 0 })) {
        if (item.kind === 'delta') seen.push(item.delta.step);
        if (seen.length === 6) break;
      }
    })();
    for (const step of [1, 2, 3]) {
      for (let n = 0; n < 2; n += 1) await store.saveDelta('a', { step });
      await until(() => seen.length === step * 2, `the pieces of step ${step} are seen`);
      if (step === 1) await store.commit('a', { info: { status: 'interrupted' } });
      else await store.commit('a', { messages: [assistant('x')] });
    }
    await within(watching, 'watching three steps', 20_000);
    assert.deepEqual(seen, [1, 1, 2, 2, 3, 3]);
  });

  spec.extended('gives no streamed text of a step that is committed', async ({ store }) => {
    await createAgent(store, 'a');
    await store.saveDelta('a', { text: 'Hel' });
    await store.commit('a', { messages: [assistant('Hello')], events: [progress('done')] });
    assert.deepEqual(await store.loadDelta('a'), []);
    for await (const item of store.watch('a', { since: 0 })) {
      assert.equal(item.kind, 'event');
      break;
    }
  });
}

function ending(spec: Spec): void {
  spec.extended('ends with its signal', async ({ store }) => {
    await createAgent(store, 'a');
    await store.appendEvent('a', progress('one'));
    const controller = new AbortController();
    const seen: WatchItem[] = [];
    const watching = (async () => {
      for await (const item of store.watch('a', { since: 0, signal: controller.signal })) seen.push(item);
    })();
    await until(() => seen.length > 0, 'the event is seen');
    controller.abort();
    await within(watching, 'ending a watch');
    assert.deepEqual(
      seen.map((item) => item.kind),
      ['event'],
    );
    const aborted = collect(store.watch('a', { since: 0, signal: AbortSignal.abort() }));
    assert.deepEqual(await within(aborted, 'a watch that was ended before it began'), []);
  });

  spec.extended('ends with its agent', async ({ store }) => {
    await createAgent(store, 'a');
    await store.appendEvent('a', progress('one'));
    const first = signalled();
    const watching = watchEvents(store, 'a', 0, () => {
      first.give();
      return false;
    });
    await within(first.given, 'the event that is there');
    await store.delete('a');
    assert.deepEqual(cursors(await within(watching, 'ending with the agent', 20_000)), [1]);
  });

  spec.extended('ends with its store', async ({ store }) => {
    await createAgent(store, 'a');
    await store.appendEvent('a', progress('one'));
    const first = signalled();
    const watching = watchEvents(store, 'a', 0, () => {
      first.give();
      return false;
    }).catch((error: unknown) => error);
    await within(first.given, 'the event that is there');
    await within(store.close(), 'closing a store that watches');
    const end = await within(watching, 'ending with the store');
    assert.ok(end instanceof StoreClosedError || Array.isArray(end), String(end));
  });

  spec.extended('can be left at any time', async ({ store }) => {
    await createAgent(store, 'a');
    await store.appendEvent('a', progress('one'));
    for (let n = 0; n < 20; n += 1) await watchEvents(store, 'a', 0, () => true);
    await store.appendEvent('a', progress('two'));
    await within(store.close(), 'closing a store that watched');
  });
}

function underWriters(spec: Spec): void {
  spec.shared(
    'misses no event and doubles none, whoever writes',
    async (context) => {
      const stores = [context.store, await context.another(), await context.another()];
      await createAgent(context.store, 'a');
      const total = stores.length * 40;
      const watchers = stores.map((store) => watchEvents(store, 'a', 0, (item) => item.cursor >= total));
      const writing = stores.map(async (store, writer) => {
        for (let n = 0; n < 20; n += 1) {
          await store.appendEvent('a', progress('e', { writer, n: 2 * n }));
          await store.commit('a', { events: [event('monitor', 'e', { writer, n: 2 * n + 1 })] });
        }
      });
      await Promise.all(writing);
      const late = watchEvents(context.store, 'a', total / 2, (item) => item.cursor >= total);
      for (const watcher of watchers) {
        const seen = await within(watcher, 'watching concurrent writers', 30_000);
        assert.deepEqual(cursors(seen), upTo(total));
        for (const writer of stores.keys()) {
          const own = seen.filter((item) => item.event.writer === writer).map((item) => item.event.n);
          assert.deepEqual(own, upTo(39, 0));
        }
      }
      assert.deepEqual(cursors(await within(late, 'a late watcher')), upTo(total, total / 2 + 1));
    },
    60_000,
  );
}
