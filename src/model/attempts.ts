import type { AgentStatus } from './agent.ts';
import type { EncodedCommit } from './encode-commit.ts';
import type { EncodedMessage } from './encode-message.ts';

/** Why the last attempt at a turn ended, as it is stored. */
export interface StoredFailure {
  code: string;
  message: string;
  at: number;
}

/** How often workers were given a turn that they did not end, and when the next one may have it. */
export interface Attempts {
  attempts: number;
  /** Null for an agent that no worker has been given since it was last at rest. */
  retryAt: number | null;
  failure: StoredFailure | null;
}

export const FIRST_DELAY_MS = 1_000;
/** 17 minutes. */
export const MAX_DOUBLINGS = 10;

/** How long after so many attempts an agent isn't given out: not at all after the first, then longer each time. */
export function retryDelay(attempts: number): number {
  return attempts <= 1 ? 0 : FIRST_DELAY_MS * 2 ** Math.min(attempts - 2, MAX_DOUBLINGS);
}

/** What a commit does to them: the same object where it does nothing. */
export function attemptsAfter(
  before: Attempts,
  status: AgentStatus,
  change: EncodedCommit,
  at: number,
): Attempts {
  const { failure, status: next } = change.info ?? {};
  if (failure) {
    // A worker's attempt that fails after an answer counts as the first one.
    const isWorkers = before.retryAt !== null && next !== 'failed';
    const attempts = isWorkers ? Math.max(1, before.attempts) : before.attempts;
    const retryAt = isWorkers ? at + retryDelay(attempts) : null;
    return { attempts, retryAt, failure: { ...failure, at: failure.at ?? at } };
  }
  if (isAtRest(before)) return before;
  const leavesFailed = next !== undefined && next !== 'failed' && status === 'failed';
  const ends = next === 'idle' || next === 'interrupted' || next === 'awaiting_approval';
  if (failure === null || leavesFailed || ends || change.messages.some(isInput)) {
    return { attempts: 0, retryAt: null, failure: null };
  }
  if (!change.messages.some(isWholeAnswer)) return before;
  return { attempts: 0, retryAt: before.retryAt, failure: null };
}

function isAtRest({ attempts, retryAt, failure }: Attempts): boolean {
  return attempts === 0 && retryAt === null && failure === null;
}

/**
 * The end of a turn. Nothing in its middle counts: a call that ends is what every attempt may leave behind before
 * the next one kills it, and each of them is paid for. Workers are counted, not steps, so that a turn of any length
 * goes on as long as the worker that has it.
 */
function isWholeAnswer({ role, kinds, partial }: EncodedMessage): boolean {
  return role === 'assistant' && !kinds.tool_use && !partial;
}

/** Somebody said something: whatever was attempted before, this is new. */
function isInput({ role, kinds }: EncodedMessage): boolean {
  return role === 'user' && (kinds.text || kinds.other);
}
