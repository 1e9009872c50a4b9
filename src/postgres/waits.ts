/** Ends a wait before its time. */
export type End = () => void;

/** What a store waits for at the moment, so that closing it can end all of it at once. */
export class Waits {
  readonly #ends = new Set<End>();

  add(end: End): void {
    this.#ends.add(end);
  }

  delete(end: End): void {
    this.#ends.delete(end);
  }

  endAll(): void {
    for (const end of [...this.#ends]) end();
  }
}
