import type { Clock } from './clock.ts';

/** What both clocks of this machine said at one moment. */
export interface Reading {
  readonly now: number;
  readonly monotonic: number;
}

export function readingOf(clock: Clock): Reading {
  return { now: clock.now(), monotonic: clock.monotonic() };
}

/** Renewed three times before it would end. */
export function renewalAfter(ttlMs: number): number {
  return ttlMs / 3;
}

/** After a renewal that failed, there is still time for some more of them. */
export function retryAfter(ttlMs: number): number {
  return Math.max(10, ttlMs / 20);
}

/**
 * When the holder of a lease that was asked for at that moment must stop at the latest: somewhat before others may
 * begin, because what it is doing doesn't end at once, and clocks don't all run alike. By the monotonic clock,
 * because the wall clock may be set back; and by the wall clock, because the monotonic one stands still while the
 * machine sleeps.
 */
export function holderDeadline(asked: Reading, ttlMs: number): Reading {
  const left = ttlMs - Math.max(ttlMs / 10, Math.min(500, ttlMs / 4));
  return { now: asked.now + left, monotonic: asked.monotonic + left };
}

export function isPast(clock: Clock, deadline: Reading): boolean {
  return clock.monotonic() >= deadline.monotonic || clock.now() >= deadline.now;
}
