import { AgentNotFoundError } from '../../../src/errors.ts';
import type { StatsFilter } from '../../../src/store/filters.ts';
import type { ExtendedStore } from '../../../src/store/store.ts';
import { collect, toolUse } from '../../../src/testing/samples.ts';
import { DAY } from '../fill.ts';
import { MESSAGE_FILTERS, SESSION_FILTERS, TOOL_CALL_FILTERS } from '../filters.ts';
import { expectFailure } from './expect-failure.ts';
import { type Stores, withFresh } from './stores.ts';

export async function driveReads(stores: Stores): Promise<void> {
  const { store } = stores;
  await driveLoads(stores);
  await driveQueries(stores);
  await driveStatistics(stores);
  await store.list();
  await store.list('busy-1');
  await store.exists('long');
  await store.exists('nobody');
  await store.healthCheck();
  store.getMetrics();
  await store.checkConsistency('long');
  await store.checkConsistency('fork-of-fork');
  await store.checkConsistency();
  await store.checkConsistency({ level: 'full' });
}

/** Each by what is remembered of the agent, and by its id; of agents on one branch and on several. */
async function driveLoads(stores: Stores): Promise<void> {
  for (const agentId of ['long', 'fork-of-fork', 'full-1']) {
    for (const load of LOADS) {
      await withFresh(stores, (fresh) => load(fresh, agentId));
      await load(stores.store, agentId);
    }
  }
  await expectFailure(AgentNotFoundError, stores.store.loadAgent('nobody'));
}

const LOADS: readonly ((store: ExtendedStore, agentId: string) => Promise<unknown>)[] = [
  (store, agentId) => store.loadAgent(agentId),
  (store, agentId) => store.loadWorkingSet(agentId),
  (store, agentId) => store.loadOpenCalls(agentId),
  (store, agentId) => store.loadInfo(agentId),
  (store, agentId) => store.loadMessages(agentId),
  (store, agentId) => store.loadContext(agentId),
  (store, agentId) => store.loadToolCallRecords(agentId),
  (store, agentId) => store.loadTodos(agentId),
  (store, agentId) => store.loadCompactions(agentId),
];

/** The filters with few words: their combinations are read in the tests of queries' plans. */
async function driveQueries({ store }: Stores): Promise<void> {
  const few = (filter: object) => Object.keys(filter).length <= 2;
  for (const filter of SESSION_FILTERS.filter(few)) await store.querySessions(filter);
  for (const filter of MESSAGE_FILTERS.filter(few)) await store.queryMessages(filter);
  for (const filter of TOOL_CALL_FILTERS.filter(few)) await store.queryToolCalls(filter);
  const limit = 250;
  await collect(store.iterateSessions({ limit }));
  for (const agentId of [undefined, 'long', 'fork-of-fork']) {
    await collect(store.iterateMessages({ limit, agentId, createdAfter: DAY }));
    await collect(store.iterateToolCalls({ limit, agentId }));
  }
  await store.queryMessages({ agentId: 'long', role: 'assistant', offset: 20_000 });
}

async function driveStatistics(stores: Stores): Promise<void> {
  const { store } = stores;
  const filters: StatsFilter[] = [
    { templateId: 'template-1' },
    { userId: 'user-3' },
    { status: 'running' },
    { metadata: { tier: 'gold' } },
    { createdAfter: new Date(DAY), createdBefore: new Date(DAY + 1_000) },
  ];
  // A name that a model made up.
  await store.commit('long', { messages: [{ role: 'assistant', content: [toolUse('', 'x'.repeat(300))] }] });
  await store.aggregateStats();
  for (const filter of filters) await store.aggregateStats(filter);
  for (const agentId of ['long', 'fork-of-fork']) {
    await store.aggregateStats(agentId);
    await withFresh(stores, (fresh) => fresh.aggregateStats(agentId));
  }
}
