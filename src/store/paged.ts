/** Rows page by page, and what each of them is for the caller. */
export interface Paged<R, T> {
  readonly pages: AsyncIterator<Iterable<R>>;
  decode(row: R): T;
}

/** What an iteration needs of its store. */
export interface Guard {
  /** Throws once the store is closed. */
  assertOpen(): void;
  /** Counts, times and guards what reads a page. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

const DONE = { done: true, value: undefined } as const;

/**
 * Items from pages, each of which is a call of its own. What is in a page becomes an item when its turn comes,
 * so that damaged data is an error in its place, and what is never asked for costs nothing. By hand: an async
 * generator makes an item wait three times, which costs more than to read it.
 */
export class PagedIteration<R, T> implements AsyncIterableIterator<T, undefined> {
  readonly #guard: Guard;
  readonly #open: () => Promise<Paged<R, T>>;
  #paged: Paged<R, T> | undefined;
  #rows: Iterator<R> | undefined;
  #ended = false;
  /** Steps that wait for a page, or behind one that does. */
  #waiting: Promise<unknown> | undefined;

  constructor(guard: Guard, open: () => Promise<Paged<R, T>>) {
    this.#guard = guard;
    this.#open = open;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#waiting && this.#rows) {
      try {
        const item = this.#fromPage();
        if (item) return Promise.resolve(item);
      } catch (error) {
        return this.#inTurn(() => this.#fail(error));
      }
    }
    return this.#inTurn(() => this.#fromNextPages());
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return this.#inTurn(async () => {
      await this.#end();
      return DONE;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #inTurn<S>(step: () => Promise<S>): Promise<S> {
    const result = this.#waiting ? this.#waiting.then(step, step) : step();
    this.#waiting = result;
    const over = () => {
      if (this.#waiting === result) this.#waiting = undefined;
    };
    result.then(over, over);
    return result;
  }

  #fromPage(): IteratorResult<T, undefined> | undefined {
    this.#guard.assertOpen();
    const row = this.#rows?.next();
    if (row && this.#paged && !row.done) return { done: false, value: this.#paged.decode(row.value) };
    this.#rows = undefined;
    return undefined;
  }

  async #fromNextPages(): Promise<IteratorResult<T, undefined>> {
    try {
      for (;;) {
        if (this.#ended) return DONE;
        const item = this.#fromPage();
        if (item) return item;
        const page = await this.#guard.run(async () => {
          this.#paged ??= await this.#open();
          return this.#paged.pages.next();
        });
        if (page.done) {
          await this.#end();
          return DONE;
        }
        this.#rows = page.value[Symbol.iterator]();
      }
    } catch (error) {
      return this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<never> {
    await this.#end();
    throw error;
  }

  async #end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#rows = undefined;
    await this.#paged?.pages.return?.();
  }
}
