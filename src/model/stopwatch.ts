import { RecentMap } from './recent-map.ts';

export const MAX_CALLS = 1_024;
export const MAX_AGENTS = 1_024;
/** Stamps and measurement are both rounded. */
const ROUNDING_MS = 2;
/** A stamp that was raised by more says nothing of how long something took. */
export const RAISED_MS = 1_000;

/** What a stopwatch needs of a call. */
interface TimedCall {
  readonly callSeq: number;
  readonly startedAt: number | null;
}

interface Begun {
  /** On the clock that nobody sets. */
  monotonic: number;
  /** The call's stamp: another call may have had its ordinal. */
  startedAt: number;
}

/**
 * How long the calls of an agent take. Their stamps can't tell where they were raised to an instant that lies
 * ahead, or the wall clock was set in between.
 */
export class Stopwatch {
  readonly #begun = new RecentMap<number, Begun>(MAX_CALLS);

  begin({ callSeq, startedAt }: TimedCall, monotonic: number): void {
    if (startedAt !== null) this.#begun.set(callSeq, { monotonic, startedAt });
  }

  /** In milliseconds; undefined for a call that began elsewhere. */
  elapsed({ callSeq, startedAt }: TimedCall, monotonic: number): number | undefined {
    const begun = this.#begun.get(callSeq);
    return begun?.startedAt === startedAt ? monotonic - begun.monotonic : undefined;
  }
}

/** The stopwatches of the agents written last. */
export class Stopwatches {
  readonly #agents = new RecentMap<string, Stopwatch>(MAX_AGENTS);

  of(agentId: string): Stopwatch {
    const known = this.#agents.get(agentId);
    if (known) return known;
    const made = new Stopwatch();
    this.#agents.set(agentId, made);
    return made;
  }
}

/** What a call's stamps and the measurement say together. */
export function durationOf(stamps: number, measured: number | undefined, isRaised: boolean): number | null {
  if (measured === undefined) return isRaised ? null : Math.max(0, stamps);
  return Math.abs(stamps - measured) <= ROUNDING_MS ? Math.max(0, stamps) : Math.max(0, Math.round(measured));
}
