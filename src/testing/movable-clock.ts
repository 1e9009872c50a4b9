import type { Clock, Timer } from '../model/clock.ts';

interface Waiting {
  due: number;
  call: () => unknown;
}

/** Far from now, so that an instant of the system's clock among a test's is noticed. */
const START = Date.UTC(2030, 0, 1);

/**
 * A clock that stands still until a test moves it, for stores opened with it. Timers follow it.
 *
 * @example
 * const clock = new MovableClock();
 * const store = new SqliteStore(path, undefined, withClock(clock));
 * await clock.advance(15_000);
 */
export class MovableClock implements Clock {
  /** What stands for PostgreSQL's clock, where the test moves that one too. */
  readonly postgresNow: string | undefined;
  readonly #onMove: ((now: number) => Promise<void>) | undefined;
  readonly #timers = new Set<Waiting>();
  #wall: number;
  #monotonic = 0;

  /** `database`: where PostgreSQL's clock is replaced, by what, and how it is told the time. */
  constructor(
    options: { start?: number; database?: { now: string; move: (now: number) => Promise<void> } } = {},
  ) {
    this.#wall = options.start ?? START;
    this.postgresNow = options.database?.now;
    this.#onMove = options.database?.move;
  }

  /** What the wall clock says, in epoch milliseconds. */
  now(): number {
    return Math.floor(this.#wall);
  }

  /** Milliseconds that passed since the clock was made; no `setWall` changes them. */
  monotonic(): number {
    return this.#monotonic;
  }

  /** Calls back when so many milliseconds have passed, from within `advance`. */
  after(ms: number, call: () => unknown): Timer {
    const waiting = { due: this.#monotonic + Math.max(0, ms), call };
    this.#timers.add(waiting);
    return { cancel: () => this.#timers.delete(waiting) };
  }

  /**
   * Time passes: timers call back in their order, each at its instant. It stands still until what they return is
   * settled, unless that `hangs`.
   */
  async advance(ms: number, { hangs = false } = {}): Promise<void> {
    const end = this.#monotonic + ms;
    await turns();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      await this.#move(Math.max(0, next.due - this.#monotonic));
      this.#timers.delete(next);
      const begun = next.call();
      await turns();
      if (!hangs) await begun;
    }
    await this.#move(end - this.#monotonic);
  }

  /** Advances in steps, until the promise is settled. */
  async advanceUntil<T>(promise: Promise<T>, step = 10): Promise<T> {
    let settled = false;
    const end = () => {
      settled = true;
    };
    promise.then(end, end);
    await turns();
    while (!settled) await this.advance(step);
    return promise;
  }

  /** The process stands still meanwhile: what was due is called back at the next `advance`, and late. */
  async pause(ms: number): Promise<void> {
    await this.#move(ms);
  }

  /** The machine sleeps: its wall clock moves on, the monotonic one doesn't. */
  async suspend(ms: number): Promise<void> {
    await this.setWall(this.#wall + ms);
  }

  /** Somebody sets the wall clock. */
  async setWall(now: number): Promise<void> {
    this.#wall = now;
    await this.#onMove?.(now);
  }

  #next(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#timers) {
      if (waiting.due <= end && (!first || waiting.due < first.due)) first = waiting;
    }
    return first;
  }

  async #move(ms: number): Promise<void> {
    if (ms === 0) return;
    this.#monotonic += ms;
    await this.setWall(this.#wall + ms);
  }
}

/** Enough of the event loop's turns for a write to a file's queue, and what follows from it. */
async function turns(): Promise<void> {
  for (let n = 0; n < 4; n += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
