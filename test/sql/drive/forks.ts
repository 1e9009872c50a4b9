import { AgentExistsError } from '../../../src/errors.ts';
import { answers, asks, conversation, createAgent, user } from '../../../src/testing/samples.ts';
import { expectFailure } from './expect-failure.ts';
import { type Stores, withFresh } from './stores.ts';

export async function driveForks(stores: Stores): Promise<void> {
  await driveQuickForks(stores);
  await driveForksWithOpenCalls(stores);
  await driveDecisions(stores);
}

/** Planned on what is remembered. */
async function driveQuickForks(stores: Stores): Promise<void> {
  const { store } = stores;
  const steps = [user('go'), asks('a'), answers('a'), ...conversation(4)];
  await createAgent(store, 'forked', steps, { metadata: { tier: 'gold' } });
  await store.saveTodos('forked', { todos: ['a'] });
  await store.saveSnapshot('forked', { id: 's' });
  for (const at of [undefined, 3, 's', 0]) await store.fork('forked', { at });
  await Promise.all([3, 3, 3].map((at) => store.fork('forked', { at })));
  await store.batchFork('forked', 70);
  await store.fork('long', { at: 1_000 });
  await store.batchFork('long', 3);
  await withFresh(stores, (fresh) => fresh.fork('fork-of-fork', { agentId: 'forked-late', at: 2_000 }));
  await expectFailure(AgentExistsError, store.fork('forked', { agentId: 'forked-late' }));
}

/** Planned under locks: forks have rows of their own of calls that are open where they begin. */
async function driveForksWithOpenCalls({ store }: Stores): Promise<void> {
  const steps = [user('go'), asks('a', 'b', 'c'), answers('a'), user('x'), asks('d'), answers('d', 'b')];
  await createAgent(store, 'open', steps);
  await store.saveToolCallRecords('open', [
    { toolCallId: 'c', state: 'approval_required' },
    { toolCallId: 'unlinked', toolName: 'search', input: {} },
  ]);
  await store.saveSnapshot('open', { id: 's' });
  await store.fork('open', { agentId: 'open-whole' });
  for (const at of [0, 2, 3, 5, 's']) await store.fork('open', { agentId: `open-${at}`, at });
  await store.batchFork('open', 2);
  // Its own copy has come further than the call that it was made of.
  await store.saveToolCallRecords('open-whole', [{ toolCallId: 'c', state: 'denied' }]);
  await store.fork('open-whole', { agentId: 'open-again' });
  await store.fork('open-whole', { agentId: 'open-before', at: 3 });
  await store.saveToolCallRecords('open', [{ toolCallId: 'd', durationMs: 3 }]);
}

/** Of calls whose result lies before a fork, so that it shares them. */
async function driveDecisions(stores: Stores): Promise<void> {
  const { store, other } = stores;
  const ids = ['a', 'b', 'c', 'd'];
  await createAgent(store, 'undecided', [user('go'), asks(...ids)], { status: 'awaiting_approval' });
  const waiting = ids.map((toolCallId) => ({ toolCallId, state: 'approval_required' as const }));
  await store.saveToolCallRecords('undecided', waiting);
  await store.decideApproval('undecided', 'a', { decision: 'allow', by: 'ann', note: 'ok' });
  await store.appendMessages('undecided', [answers(...ids), user('x')]);
  await store.fork('undecided', { agentId: 'undecided-fork' });
  await store.fork('undecided', { agentId: 'undecided-part', at: 3 });
  await other.decideApproval('undecided', 'b', { decision: 'deny', callSeq: 1 });
  await other.decideApproval('undecided-fork', 'c', { decision: 'allow' });
  await store.saveToolCallRecords('undecided', [{ toolCallId: 'a', state: 'executing' }]);
}
