import { StoreUnavailableError } from '../errors.ts';
import { type Clock, systemClock, type Timer } from '../model/clock.ts';
import type { AgentLease } from './store.ts';

/** So long after the time to wait a database may still answer. */
export const GRACE_MS = 400;

/**
 * Waits for a lease no longer than the caller said, also where the database doesn't answer at all. A lease that
 * is granted later is given back.
 */
export async function acquireInTime(
  agentId: string,
  waitMs: number,
  clock: Clock,
  acquire: () => Promise<AgentLease>,
): Promise<AgentLease> {
  const acquired = acquire();
  // Whoever doesn't wait for other holders waits for the database as every call does.
  if (waitMs === 0) return acquired;
  const late = new Late(clock, waitMs + GRACE_MS);
  try {
    const lease = await Promise.race([acquired, late.promise]);
    if (lease) return lease;
  } finally {
    late.cancel();
  }
  acquired.then((lease) => lease.release()).catch(ignore);
  throw new StoreUnavailableError(
    `The database didn't answer within the ${waitMs} ms that this call was to wait for the lease on agent "${agentId}". Should it be granted after all, it is given back, or runs out. Try again later, or pass a longer { waitMs }.`,
    { outcome: 'unknown' },
  );
}

/** When so much time has passed by the store's clock, and for the database as well, which goes by no other than its own. */
class Late {
  readonly promise: Promise<undefined>;
  #timer: Timer | undefined;

  constructor(clock: Clock, ms: number) {
    const start = performance.now();
    this.promise = new Promise((resolve) => {
      this.#timer = clock.after(
        ms,
        () => {
          this.#timer = systemClock.after(ms - (performance.now() - start), () => resolve(undefined), {
            ref: true,
          });
        },
        { ref: true },
      );
    });
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}

/** It wasn't granted, or can't be given back and runs out. */
function ignore(): void {}
