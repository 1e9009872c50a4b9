import type { AgentStreamPart } from './stream-part.ts';

/**
 * A turn's parts for one reader. The turn goes on whether or not they are read; what a reader who has left
 * won't see isn't kept.
 */
export class PartStream implements AsyncIterableIterator<AgentStreamPart> {
  #parts: AgentStreamPart[] = [];
  #ended = false;
  #failure: { error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  push(part: AgentStreamPart): void {
    if (this.#ended) return;
    this.#parts.push(part);
    this.#wake();
  }

  end(failure?: { error: unknown }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake();
  }

  async next(): Promise<IteratorResult<AgentStreamPart, undefined>> {
    while (this.#parts.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    const value = this.#parts.shift();
    if (value !== undefined) return { done: false, value };
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<AgentStreamPart, undefined>> {
    this.#parts = [];
    this.#failure = undefined;
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Each looks whether there is something for it. */
  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
