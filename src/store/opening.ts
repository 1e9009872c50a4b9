import { unlessAborted } from './unless-aborted.ts';

/**
 * Opens something once, at the first call that needs it; after a failure the next call tries again. All calls share
 * the attempt that is under way. The signal of one of them ends its wait; of the last one, the attempt itself.
 */
export class Opening<T> {
  readonly #open: (signal: AbortSignal) => Promise<T>;
  #attempt: Attempt<T> | undefined;
  #opened: T | undefined;
  /** Calls that wait for it. */
  #waiting = 0;

  /** `open` ends with its signal, and leaves nothing half done. */
  constructor(open: (signal: AbortSignal) => Promise<T>) {
    this.#open = open;
  }

  /** What was opened, if it was. */
  get opened(): T | undefined {
    return this.#opened;
  }

  /** The same for calls to begin at once with, unless others still wait that came before. */
  get ready(): T | undefined {
    return this.#waiting === 0 ? this.#opened : undefined;
  }

  /** Rejects with the signal's reason when it aborts. */
  async now(signal?: AbortSignal): Promise<T> {
    for (;;) {
      signal?.throwIfAborted();
      this.#attempt ??= this.#begin();
      const attempt = this.#attempt;
      if (!attempt.isEnding || this.#opened !== undefined) return attempt.wait(signal);
      // Two at once would stand in each other's way. It may come to its goal all the same.
      await unlessAborted(attempt.settled, signal);
    }
  }

  /** What was opened is of no use any more: the next call opens it anew. */
  forget(): void {
    this.#attempt = undefined;
    this.#opened = undefined;
  }

  /** Work that begins when it is open. */
  async whenOpen<R>(work: (opened: T) => Promise<R>, signal?: AbortSignal): Promise<R> {
    this.#waiting += 1;
    let opened: T;
    try {
      opened = await this.now(signal);
    } finally {
      this.#waiting -= 1;
    }
    return work(opened);
  }

  /** What is open, or being opened; undefined if it never was, or couldn't be. */
  async settled(): Promise<T | undefined> {
    return this.#attempt?.settled;
  }

  #begin(): Attempt<T> {
    const attempt: Attempt<T> = new Attempt(async (signal) => {
      try {
        const opened = await this.#open(signal);
        if (this.#attempt === attempt) this.#opened = opened;
        return opened;
      } catch (error) {
        // The next call tries again: the server may be up by then.
        if (this.#attempt === attempt) this.#attempt = undefined;
        throw error;
      }
    });
    return attempt;
  }
}

/** One attempt at opening, and those who wait for it. */
class Attempt<T> {
  readonly #result: Promise<T>;
  readonly #end = new AbortController();
  #waiting = 0;

  constructor(open: (signal: AbortSignal) => Promise<T>) {
    // In the next microtask, so that whoever makes the attempt has it when it fails at once.
    this.#result = Promise.resolve().then(() => open(this.#end.signal));
  }

  /** Nobody waits any more: it has been told to end. */
  get isEnding(): boolean {
    return this.#end.signal.aborted;
  }

  /** Its result; undefined if it failed. */
  get settled(): Promise<T | undefined> {
    return this.#result.catch(() => undefined);
  }

  wait(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting += 1;
    return signal ? this.#waitUntil(signal) : this.#result.finally(() => this.#leave());
  }

  #leave(): void {
    this.#waiting -= 1;
  }

  #waitUntil(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        if (this.#waiting > 1) {
          over();
          reject(signal.reason);
        } else {
          // Its end is waited for: after it nothing of the attempt is left.
          this.#end.abort(signal.reason);
        }
      };
      const over = () => {
        if (left) return;
        left = true;
        this.#leave();
        signal.removeEventListener('abort', abort);
      };
      let left = false;
      signal.addEventListener('abort', abort, { once: true });
      this.#result.finally(over).then(resolve, (error: unknown) => {
        reject(this.isEnding ? signal.reason : error);
      });
    });
  }
}
