import type { ExtendedStore } from '../../../src/store/store.ts';
import { answers, asks, createAgent } from '../../../src/testing/samples.ts';
import { fullCommit } from './commits.ts';

const AGENTS = 2_000;
/** Of one agent. */
const FORKS = 1_000;
const AT_ONCE = 100;

/** Agents that have something in every table, so that none is too small for an index to be worth it. */
export async function fillAllTables(store: ExtendedStore): Promise<void> {
  for (let start = 0; start < AGENTS; start += AT_ONCE) {
    const ids = Array.from({ length: AT_ONCE }, (_, i) => `rich-${start + i}`);
    await Promise.all(ids.map((agentId) => createRich(store, agentId)));
  }
  await store.batchFork('busy-1', FORKS);
}

async function createRich(store: ExtendedStore, agentId: string): Promise<void> {
  await createAgent(store, agentId);
  await store.commit(agentId, { ...fullCommit(1, 'first'), info: { status: 'idle' } });
  await store.commit(agentId, { ...fullCommit(1, 'second'), info: { status: 'idle' } });
  // More failed calls than a page has: for fewer, any index of theirs would do.
  await store.commit(agentId, {
    messages: [asks('failing'), answers('failing')],
    toolCalls: [{ toolCallId: 'failing', state: 'failed', error: 'no' }],
  });
  await store.saveDelta(agentId, { text: 'so far' });
  for (const name of ['a', 'b']) {
    await store.saveDocument(agentId, { kind: 'recovered-file', name, content: 'text' });
  }
}
