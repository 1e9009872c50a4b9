import assert from 'node:assert/strict';
import type { ExtendedStore } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { asks, collect, conversation, createAgent, minute, refused, user, wrong } from './samples.ts';
import { pause, within } from './timing.ts';

type Item = { agentId: string; seq?: number; callSeq?: number };

/** The three iterators and their queries, as a caller without a type checker sees them. */
const NOUNS = {
  sessions: {
    iterate: (store: ExtendedStore, filter: object): AsyncIterable<Item> =>
      store.iterateSessions(wrong(filter)),
    query: (store: ExtendedStore, filter: object): Promise<Item[]> => store.querySessions(wrong(filter)),
  },
  messages: {
    iterate: (store: ExtendedStore, filter: object): AsyncIterable<Item> =>
      store.iterateMessages(wrong(filter)),
    query: (store: ExtendedStore, filter: object): Promise<Item[]> => store.queryMessages(wrong(filter)),
  },
  'tool calls': {
    iterate: (store: ExtendedStore, filter: object): AsyncIterable<Item> =>
      store.iterateToolCalls(wrong(filter)),
    query: (store: ExtendedStore, filter: object): Promise<Item[]> => store.queryToolCalls(wrong(filter)),
  },
};

function key(item: Item): string {
  return `${item.agentId}:${item.seq ?? item.callSeq ?? ''}`;
}

/** Nothing twice, and everything that was there before. */
function completeAndDisjoint(items: Item[], before: Item[]): void {
  const seen = new Set(items.map(key));
  assert.equal(seen.size, items.length, 'an item came twice');
  for (const item of before) assert.ok(seen.has(key(item)), `${key(item)} is missing`);
}

/** Enough of everything for several pages, with many rows to an instant. */
async function fill(store: ExtendedStore): Promise<void> {
  for (let n = 0; n < 130; n += 1) {
    await createAgent(store, `a${n}`, [], { createdAt: minute(Math.floor(n / 20)), templateId: `t${n % 2}` });
  }
  for (let n = 0; n < 6; n += 1) {
    await store.appendMessages('a0', conversation(400, `${n}.`));
    await store.appendMessages(`a${n}`, [asks(...Array.from({ length: 300 }, (_, i) => `x${i}`))]);
  }
}

export function iteratorsSpec(spec: Spec): void {
  spec.describe('iterators', () => {
    completeness(spec);
    underWriters(spec);
    ending(spec);
  });
}

function completeness(spec: Spec): void {
  spec.extended(
    'give what the queries give, whatever the filter',
    async (context) => {
      await fill(context.store);
      const store = await context.reopen();
      const filters: [keyof typeof NOUNS, object][] = [
        ['sessions', {}],
        ['sessions', { order: 'asc' }],
        ['sessions', { templateId: 't1' }],
        ['sessions', { sortBy: 'updatedAt', order: 'asc' }],
        ['sessions', { createdAfter: minute(2), createdBefore: minute(4) }],
        ['messages', {}],
        ['messages', { order: 'asc' }],
        ['messages', { agentId: 'a0' }],
        ['messages', { agentId: 'a0', role: 'user', order: 'asc' }],
        ['messages', { contentType: 'tool_use' }],
        ['tool calls', {}],
        ['tool calls', { agentId: 'a3', order: 'asc' }],
        ['tool calls', { toolName: 'search', isError: false }],
      ];
      for (const [noun, filter] of filters) {
        const { iterate, query } = NOUNS[noun];
        const all = await query(store, { ...filter, limit: 10_000 });
        assert.ok(all.length > 0);
        const what = `${noun} ${JSON.stringify(filter)}`;
        assert.deepEqual(await collect(iterate(store, filter)), all, what);
      }
    },
    60_000,
  );

  spec.extended('give nothing where there is nothing', async ({ store }) => {
    for (const { iterate } of Object.values(NOUNS)) {
      assert.deepEqual(await collect(iterate(store, {})), []);
    }
    assert.deepEqual(await collect(store.iterateMessages({ agentId: 'nobody' })), []);
  });

  spec.extended('end early with a limit', async ({ store }) => {
    await createAgent(store, 'a', [...conversation(250), asks('x', 'y', 'z')]);
    await createAgent(store, 'b');
    await createAgent(store, 'c');
    for (const { iterate, query } of Object.values(NOUNS)) {
      for (const limit of [1, 2]) {
        assert.deepEqual(await collect(iterate(store, { limit })), await query(store, { limit }));
      }
    }
    const some = await collect(store.iterateMessages({ agentId: 'a', limit: 230 }));
    assert.deepEqual(some, await store.queryMessages({ agentId: 'a', limit: 230 }));
  });

  spec.extended('refuse offset, and what the queries refuse', async ({ store }) => {
    await createAgent(store, 'a', [asks('x')]);
    for (const { iterate } of Object.values(NOUNS)) {
      const iterating = async (filter: object) => collect(iterate(store, filter));
      await refused(iterating({ offset: 1 }), 'offset');
      await refused(iterating({ limit: 0 }), 'limit');
      await refused(iterating({ limit: 1.5 }), 'limit');
      await refused(iterating({ createdAfter: 'yesterday' }), 'createdAfter');
      await refused(iterating({ order: 'up' }), 'order');
      await refused(iterating({ templateID: 'x' }), 'templateID');
    }
  });
}

function underWriters(spec: Spec): void {
  for (const order of ['desc', 'asc'] as const) {
    spec.extended(
      `are complete and disjoint while the loop's own body writes, ${order}`,
      async ({ store }) => {
        await fill(store);
        for (const [noun, { iterate, query }] of Object.entries(NOUNS)) {
          const before = await query(store, { limit: 10_000 });
          const items: Item[] = [];
          for await (const item of iterate(store, { order })) {
            items.push(item);
            // In ascending order an iterator may meet what the loop adds: it mustn't go on for ever.
            if (items.length % 60 === 0 && items.length <= before.length) {
              await createAgent(store, `new ${noun} ${items.length}`, [user('x'), asks('x')]);
              await store.appendMessages('a1', [asks('x')]);
            }
          }
          completeAndDisjoint(items, before);
        }
      },
      120_000,
    );
  }

  spec.shared(
    'are complete and disjoint while another store writes',
    async (context) => {
      const { store } = context;
      const writer = await context.another();
      await fill(store);
      for (const [noun, { iterate, query }] of Object.entries(NOUNS)) {
        const before = await query(store, { limit: 10_000 });
        let done = false;
        const writing = (async () => {
          for (let n = 0; !done; n += 1) {
            await createAgent(writer, `${noun} ${n}`, [user('x'), asks('x')]);
            await writer.appendMessages('a1', [asks('x')]);
            await pause(1);
          }
        })();
        const items = await collect(iterate(store, {})).finally(() => {
          done = true;
        });
        await writing;
        completeAndDisjoint(items, before);
      }
    },
    120_000,
  );

  spec.extended('let their loop delete what they give', async (context) => {
    for (let n = 0; n < 230; n += 1) {
      await createAgent(context.store, `a${n}`, [], { createdAt: minute(n) });
    }
    for await (const session of context.store.iterateSessions({ createdBefore: minute(220) })) {
      await context.store.delete(session.agentId);
    }
    const left = Array.from({ length: 10 }, (_, n) => `a${220 + n}`);
    assert.deepEqual(await (await context.reopen()).list(), left);
  });
}

function ending(spec: Spec): void {
  spec.extended('can be left at any time, as often as one likes', async ({ store }) => {
    await createAgent(store, 'a', [...conversation(300), asks('x')]);
    for (let n = 0; n < 30; n += 1) {
      for (const { iterate } of Object.values(NOUNS)) {
        for await (const item of iterate(store, {})) {
          assert.equal(item.agentId, 'a');
          break;
        }
      }
    }
    await store.appendMessages('a', [user('the store still writes')]);
    await within(store.close(), 'closing after iterators that were left');
  });

  spec.extended('can run side by side', async ({ store }) => {
    await createAgent(store, 'a', conversation(250));
    const runs = Array.from({ length: 15 }, () => collect(store.iterateMessages({ agentId: 'a' })));
    for (const run of await within(Promise.all(runs), 'fifteen iterators')) assert.equal(run.length, 250);
  });
}
