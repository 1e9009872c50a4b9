/** Runs work under one key strictly one after the other; different keys don't wait for each other. */
export class SerialQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** The work that came last under the key, if it hasn't ended. */
  last(key: string): Promise<unknown> | undefined {
    return this.#tails.get(key);
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const result = before ? before.then(work, work) : work();
    this.#tails.set(key, result);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === result) this.#tails.delete(key);
    }
  }
}
