import type { LeaseToken } from './agent.ts';

/** Why a holder has its lease no more. */
export const LEASE_END = {
  ranOut: 'it ran out before it was renewed',
  givenBack: 'it was given back',
  storeClosed: 'it was given back when the store was closed',
  agentDeleted: 'its agent was deleted',
  lost: 'it was lost: taken over, or its agent was deleted',
} as const;

/**
 * Why a write isn't let through; undefined where it is. `last`: the newest lease of the agent that is known of, if it
 * wasn't given back; `isLive`: its time isn't over.
 */
export function leaseRefusal(
  given: LeaseToken | undefined,
  last: Pick<LeaseToken, 'token' | 'holderId'> | undefined,
  isLive: boolean,
): string | undefined {
  if (!given) return last && isLive ? 'it came without one' : undefined;
  if (!last || !isSame(last, given)) return 'its lease was released or taken over';
  return isLive ? undefined : 'its lease ran out before it was renewed';
}

function isSame(
  a: Pick<LeaseToken, 'token' | 'holderId'>,
  b: Pick<LeaseToken, 'token' | 'holderId'>,
): boolean {
  return a.token === b.token && a.holderId === b.holderId;
}
