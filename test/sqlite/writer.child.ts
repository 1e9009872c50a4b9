import { SqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { answers, asks, createAgent, progress } from '../../src/testing/samples.ts';

/** One step: two messages, a tool call, an event and usage. All of it belongs together. */
async function step(store: Store, agentId: string, n: number): Promise<void> {
  await store.commit(agentId, {
    messages: [asks(`${n}`), answers(`${n}`)],
    toolCalls: [{ toolCallId: `${n}`, state: 'completed', output: n }],
    events: [progress(`${n}`)],
    usage: [{ model: 'm', inputTokens: n }],
  });
}

// Commits steps to each of the agents, at the same time, and prints each one once it is acknowledged.
const [path = '', steps = '', ...agentIds] = process.argv.slice(2);
const store = new SqliteStore(path);
await store.list();
console.log('open');
await Promise.all(
  agentIds.map(async (agentId) => {
    if (!(await store.exists(agentId))) await createAgent(store, agentId);
    for (let n = 0; n < Number(steps); n += 1) {
      await step(store, agentId, n);
      // A synchronous write: what the parent reads was acknowledged, even if this process dies right now.
      process.stdout.write(`${agentId} ${n}\n`);
    }
  }),
);
await store.close();
