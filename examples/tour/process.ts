/** What other processes than the tour's own do with its agent: node process.ts work | resume AGENT. */
import { Agent, createExtendedStore, type ExtendedStore } from '../../src/index.ts';
import { chooseModel } from '../support/choose-model.ts';
import { clerk, PRINT } from './clerk.ts';
import { narrate, tell } from './narrate.ts';
import { clerkScript } from './script.ts';

/**
 * How long others wait for an agent whose process died. The default is 15 seconds; a tour's visitor waits with them.
 * Much less would be lost by a process that lives, on a machine that is busy with other things.
 */
const LEASE_MS = 5_000;
/** As long as it takes: the lease ends by itself. */
const PATIENCE_MS = 60_000;

const roles: Record<string, (store: ExtendedStore, agentId: string) => Promise<void>> = {
  /** Prints labels, until somebody kills this process. */
  async work(store, agentId) {
    const provider = await chooseModel(clerkScript, () => undefined);
    // Whoever takes the lease itself loads the model SDK before: the agent would do so while it holds it.
    await import('ai');
    const lease = await store.acquireAgentLock(agentId, { ttlMs: LEASE_MS });
    const agent = await Agent.resume(agentId, { provider, store, template: clerk, lease });
    await narrate(agent, PRINT);
  },

  /** Goes on where the other process died. */
  async resume(store, agentId) {
    const provider = await chooseModel(clerkScript, () => undefined);
    const agent = await Agent.resume(agentId, { provider, store, template: clerk, waitMs: PATIENCE_MS });
    for (const call of await store.queryToolCalls({ agentId, state: 'sealed' })) {
      tell('seals', `${call.toolName}: ${call.error}`);
    }
    await narrate(agent);
  },
};

// Whoever started this process is gone: nobody needs it any more.
process.once('disconnect', () => process.exit(1));
process.channel?.unref();

const [name = '', agentId = ''] = process.argv.slice(2);
const store = await createExtendedStore();
try {
  await roles[name]?.(store, agentId);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await store.close();
}
