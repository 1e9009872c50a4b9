import { StoreBusyError, StoreUnavailableError } from '../../errors.ts';

/** Less than this isn't a wait in vain. */
const LONG_MS = 1_000;

/**
 * The work before waited for a database that didn't answer, or for somebody who didn't let go, and those behind
 * it waited with it. If each of them had to find out for itself, the last would wait for as many times as long.
 */
export function isLost(error: unknown, waitedMs: number): boolean {
  return waitedMs >= LONG_MS && (error instanceof StoreUnavailableError || error instanceof StoreBusyError);
}

export function gaveUp(agentId: string, cause: unknown, waitedMs: number): StoreBusyError {
  return new StoreBusyError(
    `This write waited ${Math.round(waitedMs)} ms for another one to agent "${agentId}", which the database didn't take. Nothing of it was stored: try again.`,
    { cause },
  );
}
