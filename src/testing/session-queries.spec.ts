import assert from 'node:assert/strict';
import type { AgentInfoInput } from '../model/agent.ts';
import type { MetadataFilter, SessionQueryFilter } from '../store/filters.ts';
import type { ExtendedStore } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { checksPages, checksRanges, ignoresUndefined, refusesBadFilters } from './query-checks.ts';
import { conversation, createAgent, minute, user, wrong } from './samples.ts';

/** Agents `a0`, `a1` … one minute apart. */
async function agents(store: ExtendedStore, infos: AgentInfoInput[]): Promise<void> {
  for (const [n, info] of infos.entries()) {
    await createAgent(store, `a${n}`, [], { createdAt: minute(n), ...info });
  }
}

/** The ids found, oldest first. */
async function found(store: ExtendedStore, filter: SessionQueryFilter): Promise<string[]> {
  return (await store.querySessions({ order: 'asc', ...filter })).map((session) => session.agentId);
}

function loose(store: ExtendedStore) {
  return (filter: Record<string, unknown>) => store.querySessions(wrong(filter));
}

export function sessionQueriesSpec(spec: Spec): void {
  spec.describe('querySessions', () => {
    filtering(spec);
    byMetadata(spec);
    ordering(spec);
    living(spec);

    spec.extended('refuses what it does not understand, by name', async ({ store }) => {
      await createAgent(store, 'a');
      await refusesBadFilters(loose(store), {
        agentId: ['a'],
        templateId: ['', 1, null, ['t']],
        userId: ['', 1, null],
        status: ['asleep', '', 1, null],
        sortBy: ['version', 'created_at', '', null],
        metadata: [null, 'x', { tier: {} }, { tier: [1] }, { tier: Number.NaN }, { tier: 1n }],
      });
    });

    spec.extended('X2 takes as many paths of metadata as it says, and refuses more', async ({ store }) => {
      const metadata = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`key${n}`, n]));
      await agents(store, [{ metadata }, { metadata: { ...metadata, key99: 0 } }]);
      assert.deepEqual(await found(store, { metadata }), ['a0']);
      assert.equal((await store.aggregateStats({ metadata })).totalAgents, 1);
      await refusesBadFilters(loose(store), { metadata: [{ ...metadata, key100: 100 }] });
    });

    spec.extended('takes undefined for absent', async ({ store }) => {
      await agents(store, [{}, {}]);
      await ignoresUndefined(loose(store), ['templateId', 'userId', 'status', 'sortBy', 'metadata']);
    });
  });
}

function filtering(spec: Spec): void {
  spec.extended('gives every session without a filter, as loadInfo gives it', async (context) => {
    await agents(context.store, [{}, { userId: 'u', metadata: { b: 1, a: [] } }, { parentAgentId: 'a0' }]);
    await context.store.appendMessages('a1', conversation(3));
    const store = await context.reopen();
    const infos = [await store.loadInfo('a2'), await store.loadInfo('a1'), await store.loadInfo('a0')];
    assert.deepEqual(await store.querySessions(), infos);
    assert.deepEqual(await store.querySessions({}), infos);
    assert.equal(infos[1]?.messageCount, 3);
  });

  spec.extended('filters by template, user and status', async (context) => {
    await agents(context.store, [
      { templateId: 'chat', userId: 'ann' },
      { templateId: 'Chat', userId: 'bob', status: 'running' },
      { templateId: 'chat', userId: 'bob', status: 'awaiting_approval' },
      { templateId: 'chat ', userId: 'BOB', status: 'interrupted' },
      { templateId: 'chat' },
    ]);
    const store = await context.reopen();
    assert.deepEqual(await found(store, { templateId: 'chat' }), ['a0', 'a2', 'a4']);
    assert.deepEqual(await found(store, { templateId: 'cha' }), []);
    assert.deepEqual(await found(store, { templateId: '%' }), []);
    assert.deepEqual(await found(store, { userId: 'bob' }), ['a1', 'a2']);
    assert.deepEqual(await found(store, { status: 'idle' }), ['a0', 'a4']);
    assert.deepEqual(await found(store, { status: 'running' }), ['a1']);
    assert.deepEqual(await found(store, { status: 'awaiting_approval' }), ['a2']);
    assert.deepEqual(await found(store, { status: 'interrupted' }), ['a3']);
  });

  spec.extended('combines all filters', async (context) => {
    const infos = Array.from({ length: 24 }, (_, n) => ({
      templateId: `t${n % 2}`,
      userId: `u${n % 3}`,
      status: n % 4 === 0 ? ('running' as const) : ('idle' as const),
      metadata: { even: n % 2 === 0 },
    }));
    await agents(context.store, infos);
    const store = await context.reopen();
    const both = await found(store, { templateId: 't0', userId: 'u0' });
    assert.deepEqual(both, ['a0', 'a6', 'a12', 'a18']);
    const three = await found(store, { templateId: 't0', userId: 'u0', status: 'running' });
    assert.deepEqual(three, ['a0', 'a12']);
    const all = {
      templateId: 't0',
      userId: 'u0',
      status: 'running',
      metadata: { even: true },
      createdAfter: minute(1),
      createdBefore: minute(13),
    } as const;
    assert.deepEqual(await found(store, all), ['a12']);
    assert.deepEqual(await found(store, { ...all, metadata: { even: false } }), []);
    assert.deepEqual(await found(store, { ...all, createdBefore: minute(12) }), []);
    const page = await found(store, { userId: 'u1', limit: 2, offset: 1, order: 'desc' });
    assert.deepEqual(page, ['a19', 'a16']);
  });

  spec.extended('filters by time, from and including, up to and excluding', async (context) => {
    await agents(context.store, new Array(10).fill({ userId: 'u' }));
    const store = await context.reopen();
    const minutesOf = (other: SessionQueryFilter) => async (range: SessionQueryFilter) =>
      (await found(store, { ...range, ...other })).map((id) => Number(id.slice(1)));
    await checksRanges(minutesOf({}));
    await checksRanges(minutesOf({ templateId: 'default' }));
    await checksRanges(minutesOf({ userId: 'u', sortBy: 'updatedAt' }));
  });
}

function byMetadata(spec: Spec): void {
  spec.extended('filters by scalars in the metadata, to the type', async (context) => {
    await agents(context.store, [
      { metadata: { tier: 'gold', n: 1, on: true, none: null } },
      { metadata: { tier: 'gold', n: '1', on: 'true', none: 'null' } },
      { metadata: { tier: 'silver', n: 1.5, on: false } },
      { metadata: {} },
    ]);
    const store = await context.reopen();
    const by = (metadata: MetadataFilter) => found(store, { metadata });
    assert.deepEqual(await by({ tier: 'gold' }), ['a0', 'a1']);
    assert.deepEqual(await by({ n: 1 }), ['a0']);
    assert.deepEqual(await by({ n: '1' }), ['a1']);
    assert.deepEqual(await by({ n: 1.5 }), ['a2']);
    assert.deepEqual(await by({ on: true }), ['a0']);
    assert.deepEqual(await by({ on: 'true' }), ['a1']);
    assert.deepEqual(await by({ on: false }), ['a2']);
    assert.deepEqual(await by({ none: null }), ['a0']);
    assert.deepEqual(await by({ tier: 'gold', n: 1 }), ['a0']);
    assert.deepEqual(await by({ tier: 'gold', n: 2 }), []);
    assert.deepEqual(await by({ absent: 'x' }), []);
    assert.deepEqual(await by({}), ['a0', 'a1', 'a2', 'a3']);
  });

  spec.extended('finds nested values by dot paths', async (context) => {
    await agents(context.store, [
      { metadata: { customer: { tier: 'gold' } } },
      { metadata: { 'customer.tier': 'gold' } },
      { metadata: { customer: 'tier' } },
      { metadata: { quote: `'"; --`, '': { '': 1 } } },
    ]);
    const store = await context.reopen();
    const by = (metadata: MetadataFilter) => found(store, { metadata });
    assert.deepEqual(await by({ 'customer.tier': 'gold' }), ['a0']);
    assert.deepEqual(await by({ 'customer\\.tier': 'gold' }), ['a1']);
    assert.deepEqual(await by({ customer: 'tier' }), ['a2']);
    assert.deepEqual(await by({ quote: `'"; --` }), ['a3']);
  });

  spec.extended('follows the metadata as it changes', async (context) => {
    await agents(context.store, [{ metadata: { tier: 'gold' } }]);
    await context.store.saveInfo('a0', { metadata: { tier: 'silver' } });
    const store = await context.reopen();
    assert.deepEqual(await found(store, { metadata: { tier: 'gold' } }), []);
    assert.deepEqual(await found(store, { metadata: { tier: 'silver' } }), ['a0']);
  });

  spec.extended("isn't troubled by metadata that its database can't index", async (context) => {
    const odd = { nul: '\u0000', lone: '\ud800', long: 'x'.repeat(100_000), big: 1e300, tier: 'gold' };
    await agents(context.store, [{ metadata: odd }, { metadata: { tier: 'gold' } }]);
    const store = await context.reopen();
    assert.deepEqual((await store.loadInfo('a0'))?.metadata, odd);
    assert.deepEqual(await found(store, { metadata: { tier: 'gold' } }), ['a0', 'a1']);
  });
}

function ordering(spec: Spec): void {
  spec.extended('gives the newest first, and the younger first of the same instant', async (context) => {
    const times = [5, 3, 3, 9, 3];
    await agents(
      context.store,
      times.map((n) => ({ createdAt: minute(n) })),
    );
    const store = await context.reopen();
    const ids = (await store.querySessions()).map((session) => session.agentId);
    assert.deepEqual(ids, ['a3', 'a0', 'a4', 'a2', 'a1']);
    assert.deepEqual(await found(store, { order: 'asc' }), [...ids].reverse());
  });

  spec.extended('sorts by the last activity on request', async (context) => {
    for (const n of [0, 1, 2]) {
      const at = minute(n);
      await context.store.commit(`a${n}`, { info: { createdAt: at }, at, expectedVersion: 0 });
    }
    await context.store.commit('a0', { messages: [user('x')], at: minute(20) });
    await context.store.commit('a1', { info: { status: 'running' }, at: minute(10) });
    const store = await context.reopen();
    const sorted = async (filter: SessionQueryFilter) =>
      (await store.querySessions({ sortBy: 'updatedAt', ...filter })).map((one) => one.agentId);
    assert.deepEqual(await sorted({}), ['a0', 'a1', 'a2']);
    assert.deepEqual(await sorted({ order: 'asc' }), ['a2', 'a1', 'a0']);
    assert.deepEqual(await sorted({ limit: 1, offset: 1 }), ['a1']);
    assert.deepEqual(await sorted({ status: 'idle' }), ['a0', 'a2']);
    assert.deepEqual(await found(store, { sortBy: 'createdAt' }), ['a0', 'a1', 'a2']);
  });

  spec.extended('gives 100 by default, and pages', async (context) => {
    // Twelve to an instant, so that the order within an instant is looked at, too.
    const infos = Array.from({ length: 120 }, (_, n) => ({ createdAt: minute(Math.floor(n / 12)) }));
    await agents(context.store, infos);
    const store = await context.reopen();
    await checksPages(loose(store));
    await checksPages((filter) => store.querySessions(wrong({ templateId: 'default', ...filter })));
    await checksPages((filter) => store.querySessions(wrong({ sortBy: 'updatedAt', ...filter })));
  });
}

function living(spec: Spec): void {
  spec.extended('gives forks as sessions of their own, and none that is deleted', async (context) => {
    const { store } = context;
    await createAgent(store, 'a', conversation(4), { templateId: 't', userId: 'u', createdAt: minute(0) });
    const fork = await store.fork('a', { at: 2 });
    assert.deepEqual(await found(store, { templateId: 't', userId: 'u' }), ['a', fork]);
    await store.delete('a');
    const reopened = await context.reopen();
    const [session] = await reopened.querySessions();
    assert.deepEqual(await found(reopened, {}), [fork]);
    assert.equal(session?.messageCount, 2);
    assert.deepEqual(session?.lineage, ['a']);
  });

  spec.extended('finds what a clean-up by age deletes: those and only those', async (context) => {
    await agents(context.store, new Array(8).fill({}));
    for (const session of await context.store.querySessions({ createdBefore: minute(5) })) {
      await context.store.delete(session.agentId);
    }
    assert.deepEqual(await (await context.reopen()).list(), ['a5', 'a6', 'a7']);
  });
}
