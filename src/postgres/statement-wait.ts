import { LAST_WORD_MS } from './cancel.ts';
import { GivenUp, type GivenUpWhy } from './given-up.ts';
import type { Probe } from './probe.ts';
import type { Waits } from './waits.ts';

/** How long one statement may take: so many milliseconds, or until a signal aborts and while the server lives. */
export type Limit =
  | { readonly timeoutMs: number }
  | { readonly until: AbortSignal | undefined; readonly probe: Probe };

/** Ends the wait before its time. */
export function signalOf(limit: Limit): AbortSignal | undefined {
  return 'until' in limit ? limit.until : undefined;
}

export interface Waiter {
  /** The wait is over for the caller: the server is to be asked to cancel. Its last word may still come. */
  cancel(): void;
  /** Nothing came. */
  fail(error: GivenUp): void;
}

/**
 * The wait for a statement's answer. At its limit the server is asked to cancel, and has a moment for its last
 * word: that the statement is cancelled, which stores nothing, or its result after all. Only if there is
 * none is the outcome unknown.
 *
 * The timers are real ones, whatever clock a store has: the server that they are for goes by no other.
 */
export class StatementWait {
  readonly #limit: Limit;
  readonly #waits: Waits;
  readonly #waiter: Waiter;
  #timer: NodeJS.Timeout | undefined;
  #why: GivenUpWhy | undefined;
  #ended = false;

  constructor(limit: Limit, waits: Waits, waiter: Waiter) {
    this.#limit = limit;
    this.#waits = waits;
    this.#waiter = waiter;
    waits.add(this.#close);
    if ('timeoutMs' in limit) {
      const { timeoutMs } = limit;
      this.#timer = setTimeout(() => this.#giveUp({ kind: 'late', timeoutMs }), timeoutMs);
    } else {
      limit.until?.addEventListener('abort', this.#abort);
      this.#timer = setInterval(() => void this.#ask(limit.probe), limit.probe.timeoutMs);
    }
  }

  /** The answer is there. Says why it was too late, if it was. */
  end(): GivenUpWhy | undefined {
    this.#ended = true;
    this.#waits.delete(this.#close);
    this.#stopWatching();
    return this.#why;
  }

  readonly #close = (): void => {
    this.#why ??= { kind: 'closed' };
    this.#waiter.cancel();
    this.#fail();
  };

  readonly #abort = (): void => {
    this.#giveUp({ kind: 'aborted', reason: signalOf(this.#limit)?.reason });
  };

  async #ask(probe: Probe): Promise<void> {
    if (!(await probe.alive())) this.#giveUp({ kind: 'unreachable' });
  }

  #giveUp(why: GivenUpWhy): void {
    if (this.#ended || this.#why) return;
    this.#why = why;
    this.#stopWatching();
    this.#waiter.cancel();
    this.#timer = setTimeout(() => this.#fail(), LAST_WORD_MS);
  }

  #fail(): void {
    const why = this.end();
    if (why) this.#waiter.fail(new GivenUp(why, { answered: false }));
  }

  #stopWatching(): void {
    // It clears intervals as well.
    clearTimeout(this.#timer);
    signalOf(this.#limit)?.removeEventListener('abort', this.#abort);
  }
}
