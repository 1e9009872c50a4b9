import { time } from '../measure.ts';
import { counted, exactly } from '../result.ts';
import type { Workload } from '../workload.ts';

const AGENTS = 1_000;
const TURNS = 3;

/** Waiting for a connection is no failure: ten of them are enough for everybody. */
export const pool: Workload = {
  name: 'pool',
  title: 'A pool of 10 connections that serves 1,000 agents at the same time',
  backends: ['postgres'],
  async *run(bench) {
    const ground = await bench.open();
    const store = await ground.another();
    const agents = bench.size(AGENTS, 50);
    const failures: unknown[] = [];
    const serve = async (agentId: string) => {
      await store.saveInfo(agentId, { templateId: 'assistant' });
      const lease = await store.acquireAgentLock(agentId);
      for (let i = 0; i < TURNS; i += 1) {
        await store.commit(agentId, { ...bench.turns.nextWithCall(), lease });
      }
      await store.loadAgent(agentId);
      await lease.release();
    };
    try {
      const took = await time({
        run: () =>
          Promise.all(
            Array.from({ length: agents }, (_, i) =>
              serve(`agent-${i}`).catch((error: unknown) => failures.push(error)),
            ),
          ),
      });
      const [first] = failures;
      if (first) console.error(`The first of ${failures.length} failures:`, first);
      yield counted(`${agents} agents, failures`, failures.length, exactly(0));
      yield counted('turns per second', (agents * TURNS * 1_000) / took, undefined, 'per second');
    } finally {
      await store.close();
    }
  },
};
