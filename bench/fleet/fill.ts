import type { Store } from '../../src/store/store.ts';
import { planFleet } from './plan.ts';

/** Enough to share syncs and connections. */
const AT_ONCE = 16;

/** One commit for each agent, by the store's own write path. */
export async function fillFleet(store: Store, agents: number): Promise<void> {
  const plan = planFleet(agents)[Symbol.iterator]();
  const worker = async () => {
    for (let next = plan.next(); !next.done; next = plan.next()) {
      await store.commit(next.value.agentId, next.value.change);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
