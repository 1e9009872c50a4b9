import type { Clock, Timer } from '../../src/model/clock.ts';

interface Waiting {
  readonly owner: ProcessClock;
  readonly due: number;
  readonly call: () => unknown;
}

const START = Date.UTC(2030, 0, 1);

/** A machine with processes: its clocks are theirs, and each has its own timers. */
export class Machine {
  monotonic = 0;
  wall = START;
  readonly #timers = new Set<Waiting>();
  readonly #moved: (passed: number) => Promise<void>;

  /** `moved`: what else has to follow its time. */
  constructor(moved: (passed: number) => Promise<void> = async () => undefined) {
    this.#moved = moved;
  }

  process(postgresNow?: string): ProcessClock {
    return new ProcessClock(this, this.#timers, postgresNow);
  }

  /** Timers call back in their order; those of a process that stands still wait until it goes on. */
  async pass(ms: number): Promise<void> {
    const end = this.monotonic + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      await this.#move(Math.max(0, next.due - this.monotonic));
      this.#timers.delete(next);
      const begun = next.call();
      await turns();
      if (!next.owner.hangs) await begun;
    }
    await this.#move(end - this.monotonic);
  }

  async #move(ms: number): Promise<void> {
    if (ms === 0) return;
    this.monotonic += ms;
    this.wall += ms;
    await this.#moved(ms);
  }

  #next(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#timers) {
      if (waiting.owner.standsStill || waiting.due > end) continue;
      if (!first || waiting.due < first.due) first = waiting;
    }
    return first;
  }
}

export class ProcessClock implements Clock {
  readonly postgresNow: string | undefined;
  standsStill = false;
  /** What its timers begin may not come to an end. */
  hangs = false;
  /** By how much its host's wall clock is wrong. */
  offset = 0;
  readonly #machine: Machine;
  readonly #timers: Set<Waiting>;

  constructor(machine: Machine, timers: Set<Waiting>, postgresNow: string | undefined) {
    this.#machine = machine;
    this.#timers = timers;
    this.postgresNow = postgresNow;
  }

  now(): number {
    return Math.floor(this.#machine.wall) + this.offset;
  }

  monotonic(): number {
    return this.#machine.monotonic;
  }

  after(ms: number, call: () => unknown): Timer {
    const waiting = { owner: this, due: this.#machine.monotonic + Math.max(0, ms), call };
    this.#timers.add(waiting);
    return { cancel: () => this.#timers.delete(waiting) };
  }
}

/** Enough turns of the event loop for what needs no answer from elsewhere. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 6; n += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
