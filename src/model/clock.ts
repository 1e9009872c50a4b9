/** The time, as everything asks for it that computes a deadline, an expiry, a renewal or a stamp. */
export interface Clock {
  /** What the wall clock says, in epoch milliseconds. It may be set, forwards and backwards. */
  now(): number;
  /** Milliseconds on a clock that nobody sets. */
  monotonic(): number;
  /**
   * Calls back when so many milliseconds have passed on the monotonic clock. It may call early, where that is
   * longer than timers can be: whoever waits for an instant looks at the clock again. Such a timer keeps no
   * process alive unless it is `ref`. What `call` returns is for clocks that stand still until it is settled.
   */
  after(ms: number, call: () => unknown, options?: { ref: boolean }): Timer;
  /** The database's own clock in epoch milliseconds, as an expression of PostgreSQL, where tests move that one too. */
  readonly postgresNow?: string | undefined;
}

/** A call that is still to come. */
export interface Timer {
  /** It doesn't come any more. Does nothing after it came. */
  cancel(): void;
}

/** Timers of Node take no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, call, options) {
    const timer = setTimeout(call, Math.min(Math.max(0, Math.ceil(ms)), MAX_TIMER_MS));
    if (!options?.ref) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Waits. Somebody waits with it, so the process stays alive for it. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve, { ref: true });
  });
}

/** A signal that aborts when so many milliseconds have passed, unless that is cancelled before. */
export function timeoutSignal(clock: Clock, ms: number): Timer & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const end = clock.monotonic() + ms;
  const look = () => {
    const left = end - clock.monotonic();
    if (left > 0) timer = clock.after(left, look);
    else controller.abort(new DOMException(`${ms} ms have passed`, 'TimeoutError'));
  };
  let timer = clock.after(ms, look);
  return { signal: controller.signal, cancel: () => timer.cancel() };
}

/** Where options, or a store, have a clock other than the system's. */
export const CLOCK: unique symbol = Symbol.for('@shareai-lab/kode-sdk/clock') as never;

/** Options of a store with another clock: `new SqliteStore(path, files, withClock(clock))`. */
export function withClock<O extends object>(clock: Clock | undefined, options: O = {} as O): O {
  return clock ? { ...options, [CLOCK]: clock } : options;
}

/** The clock of a store's options, or of a store. */
export function clockOf(owner: object | undefined): Clock {
  return (owner as { [CLOCK]?: Clock } | undefined)?.[CLOCK] ?? systemClock;
}
