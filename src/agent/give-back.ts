import type { AgentLease } from '../store/store.ts';
import { AgentNotOpenedError } from './errors.ts';
import { messageOf } from './failure.ts';

/** What opens an agent with a lease that was got for it: nobody needs the lease if that fails. */
export async function orGiveBack<T>(lease: AgentLease, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    await giveBack(lease);
    throw error;
  }
}

/**
 * Gives a lease back where an error may be on its way to the caller already, in a `finally` for example: it
 * never rejects. Where the store can't be reached, the lease runs out by itself, and a warning of the process
 * says so.
 */
export async function giveBack(lease: AgentLease): Promise<void> {
  try {
    await lease.release();
  } catch (error) {
    process.emitWarning(
      `The lease of agent "${lease.agentId}" could not be given back: ${messageOf(error)} Others can take it from ${lease.expiresAt.toISOString()} on.`,
      { type: 'KodeWarning', code: 'LEASE_NOT_GIVEN_BACK' },
    );
  }
}

/** What opens an agent that has just been made: whoever made it must know which one it is. */
export async function orNotOpened<T>(agentId: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    throw new AgentNotOpenedError(agentId, messageOf(cause), { cause });
  }
}
