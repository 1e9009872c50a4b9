/** Opens something once, at the first call that needs it; after a failure the next call tries again. */
export class Opening<T> {
  readonly #open: () => Promise<T>;
  #promise: Promise<T> | undefined;
  #opened: T | undefined;
  /** Calls that wait for it. */
  #waiting = 0;

  constructor(open: () => Promise<T>) {
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

  now(): Promise<T> {
    this.#promise ??= this.#open().then(
      (opened) => {
        this.#opened = opened;
        return opened;
      },
      (error: unknown) => {
        // The next call tries again: the server may be up by then.
        this.#promise = undefined;
        throw error;
      },
    );
    return this.#promise;
  }

  /** What was opened is of no use any more: the next call opens it anew. */
  forget(): void {
    this.#promise = undefined;
    this.#opened = undefined;
  }

  /** Work that begins when it is open. */
  async whenOpen<R>(work: (opened: T) => Promise<R>): Promise<R> {
    this.#waiting += 1;
    let opened: T;
    try {
      opened = await this.now();
    } finally {
      this.#waiting -= 1;
    }
    return work(opened);
  }

  /** What is open, or being opened; undefined if it never was, or couldn't be. */
  async settled(): Promise<T | undefined> {
    return this.#promise?.catch(() => undefined);
  }
}
