import { answers, asks, conversation, createAgent, user } from '../../../src/testing/samples.ts';
import type { Stores } from './stores.ts';

/** Rewrites, snapshots, and what becomes of branches. */
export async function driveBranches(stores: Stores): Promise<void> {
  await driveRewrites(stores);
  await driveSnapshots(stores);
  await driveDeletions(stores);
}

async function driveRewrites({ store }: Stores): Promise<void> {
  const steps = [user('go'), asks('a', 'b'), answers('a', 'b'), user('more'), asks('c'), answers('c')];
  await createAgent(store, 'rewritten', steps);
  await store.saveMessages('rewritten', steps);
  await store.saveMessages('rewritten', [...steps, user('x')]);
  await store.commit('rewritten', { compaction: { seq: 2, messages: [user('in short')] } });
  // In place, and where a snapshot and a fork need what is there, on a branch of its own.
  await store.saveMessages('rewritten', [...steps.slice(0, 5), answers('c'), user('y')]);
  await store.commit('rewritten', { compaction: { seq: 2, messages: [user('in short')] } });
  await store.saveSnapshot('rewritten', { id: 's' });
  await store.fork('rewritten', { agentId: 'rewritten-fork' });
  await store.commit('rewritten', {
    messages: [user('z')],
    toolCalls: [{ toolCallId: 'unlinked', toolName: 'search', input: {} }],
    compaction: { seq: 2, messages: [user('shorter')] },
  });
  await store.saveMessages('rewritten', [...steps.slice(0, 2), user('another way')]);
  // The snapshot of the branch that was left is taken again on the new one.
  await store.saveSnapshot('rewritten', { id: 's' });
  await store.saveSnapshot('rewritten', { id: 't' });
  await store.saveMessages('rewritten', []);
  const long = await store.loadMessages('long');
  await store.saveMessages('long', [...long.slice(0, -2), user('another end')]);
  await store.saveMessages('fork-of-fork', long.slice(0, 100));
}

async function driveSnapshots({ store }: Stores): Promise<void> {
  const messages = conversation(6);
  await createAgent(store, 'snapped', messages);
  await store.saveSnapshot('snapped', { id: 'part', messages: messages.slice(0, 4) });
  await store.saveSnapshot('snapped', { id: 'copy', messages: [user('go'), asks('own', 'other')] });
  await store.saveSnapshot('snapped', { id: 'whole' });
  await store.fork('snapped', { agentId: 'snapped-whole', at: 'whole' });
  await store.fork('snapped', { agentId: 'snapped-part', at: 'part' });
  await store.fork('snapped', { agentId: 'snapped-copy', at: 'copy' });
  await store.saveSnapshot('snapped-part', { id: 'inherited', messages: messages.slice(0, 2) });
  for (const id of ['part', 'copy', 'missing']) await store.loadSnapshot('snapped', id);
  await store.listSnapshots('snapped');
  // Only the snapshot needs the branch that was left.
  await store.saveMessages('snapped-part', [user('otherwise')]);
  await store.saveSnapshot('snapped-part', { id: 'own' });
  await store.saveMessages('snapped-part', []);
  await store.fork('snapped-part', { agentId: 'snapped-left', at: 'own' });
  await store.saveSnapshot('snapped-part', { id: 'own' });
}

/** Starters leave first, so that others take over what they had. */
async function driveDeletions({ store, other }: Stores): Promise<void> {
  await createAgent(store, 'left', [user('go'), asks('a', 'b'), answers('a'), ...conversation(4), asks('c')]);
  await store.fork('left', { agentId: 'left-part', at: 3 });
  await store.fork('left', { agentId: 'left-whole' });
  await store.saveToolCallRecords('left-whole', [{ toolCallId: 'b', durationMs: 4 }]);
  await store.saveSnapshot('left', { id: 's', messages: [user('go')] });
  await store.delete('left');
  // The branch is nobody's to write to: forks claim what nobody has of it.
  await store.fork('left-whole', { agentId: 'left-claimed', at: 5 });
  await store.fork('left-whole', { agentId: 'left-again' });
  await store.delete('left-whole');
  for (const agentId of ['left-part', 'left-claimed', 'left-again', 'full-3', 'missing']) {
    await other.delete(agentId);
  }
  await store.delete('fork');
}
