import type { LeaseHolder } from '../errors.ts';
import type { LeaseToken } from '../model/agent.ts';
import type { AgentLease } from './store.ts';
import { withRemedy } from './unknown-outcome.ts';

/** What a backend knows of a lease that it has given. */
export interface GivenLease extends LeaseToken {
  readonly holder: LeaseHolder;
  readonly signal: AbortSignal;
  /** As it is now, in epoch milliseconds. */
  expiresAt(): number;
  release(): Promise<void>;
}

/** The same as what the caller gets: a function that releases it. */
export function leaseHandle(given: GivenLease): AgentLease {
  const release = async () => {
    try {
      await given.release();
    } catch (error) {
      throw withRemedy(error, 'release');
    }
  };
  return Object.defineProperties(release, {
    agentId: { value: given.agentId, enumerable: true },
    token: { value: given.token, enumerable: true },
    holderId: { value: given.holderId, enumerable: true },
    holder: { value: given.holder, enumerable: true },
    expiresAt: { get: () => new Date(given.expiresAt()), enumerable: true },
    signal: { value: given.signal, enumerable: true },
    release: { value: release },
    [Symbol.asyncDispose]: { value: release },
  }) as unknown as AgentLease;
}
