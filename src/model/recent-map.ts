/**
 * A map that forgets what wasn't asked for lately. It has two generations: when the young one is full, it
 * becomes the old one, whose entries come back when they are asked for and go with the next change. So a hit
 * costs one look-up, where moving each entry to the end would cost three.
 */
export class RecentMap<K, V> {
  /** A generation has no more entries than this, the map at most twice as many. */
  readonly #most: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.#old.delete(key);
    if (this.#young.size >= this.#most && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
