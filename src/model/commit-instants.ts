import type { Timing } from './call-book.ts';
import type { EncodedCommit } from './encode-commit.ts';
import { RAISED_MS } from './stopwatch.ts';

/** When a commit happened, and each of its messages. */
export interface CommitInstants {
  at: number;
  messages: number[];
}

/**
 * As the commit says, one instant for all or one for each message, or else now; none before `lastAt`, the newest that
 * the agent has: instants of one agent never run backwards. `from`: messages before that are stored already.
 */
export function commitInstants(
  { at: given, messages }: Pick<EncodedCommit, 'at' | 'messages'>,
  now: number,
  lastAt: number,
  from = 0,
): CommitInstants {
  const each = given?.length === messages.length ? given : undefined;
  const instants: number[] = [];
  for (let i = from; i < messages.length; i += 1) {
    instants.push(Math.max((each ? each[i] : given?.[0]) ?? now, lastAt));
  }
  return { at: Math.max(given?.at(-1) ?? now, lastAt), messages: instants };
}

/** An agent that doesn't say when it was created was when its first commit says, or is at that commit's instant. */
export function creationInstant(
  { info, at }: Pick<EncodedCommit, 'info' | 'at'>,
  committedAt: number,
): number {
  return info?.createdAt ?? at?.[0] ?? committedAt;
}

/** For how long things take; of a commit that says when it happened, the stamps say it. */
export function timingAt(
  { at: given }: Pick<EncodedCommit, 'at'>,
  timing: Pick<Timing, 'stopwatch' | 'monotonic'> | undefined,
  now: number,
  at: number,
): Timing | undefined {
  return timing && given === undefined ? { ...timing, isRaised: at > now + RAISED_MS } : undefined;
}
