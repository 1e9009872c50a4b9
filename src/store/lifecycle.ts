import { StoreClosedError } from '../errors.ts';
import type { OperationMetrics } from './store.ts';

/** Latencies remembered per operation. */
const WINDOW = 1_024;

interface Counter {
  count: number;
  errors: number;
  latencies: number[];
}

/**
 * Every call on a store goes through here: it is refused after `close`, `close` waits for it, and it is
 * counted and timed.
 */
export class Lifecycle {
  readonly startedAt = new Date();
  readonly #counters = new Map<string, Counter>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  /** Aborted when the store begins to close: ends what waits for things to come. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  assertOpen(): void {
    if (this.#closed) throw new StoreClosedError();
  }

  async run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    this.assertOpen();
    const start = performance.now();
    const promise = work();
    const settled = promise.then(nothing, nothing);
    this.#underWay.add(settled);
    let failed = true;
    try {
      const result = await promise;
      failed = false;
      return result;
    } finally {
      this.#underWay.delete(settled);
      this.#count(operation, performance.now() - start, failed);
    }
  }

  /** An iteration: each step is a call of its own, so that a paused consumer doesn't hold up `close`. */
  async *iterate<T>(operation: string, source: () => AsyncIterator<T>): AsyncGenerator<T> {
    this.assertOpen();
    const iterator = source();
    try {
      for (;;) {
        const next = await this.run(operation, () => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  /** Waits for what is under way, then runs `release` once; later calls wait for the same. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort();
      while (this.#underWay.size > 0) await Promise.all(this.#underWay);
      await release();
    })();
    return this.#closed;
  }

  metrics(): Record<string, OperationMetrics> {
    const operations: Record<string, OperationMetrics> = {};
    for (const [name, { count, errors, latencies }] of this.#counters) {
      const sorted = [...latencies].sort((a, b) => a - b);
      const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
      operations[name] = {
        count,
        errors,
        latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
      };
    }
    return operations;
  }

  #count(operation: string, latency: number, failed: boolean): void {
    let counter = this.#counters.get(operation);
    if (!counter) {
      counter = { count: 0, errors: 0, latencies: [] };
      this.#counters.set(operation, counter);
    }
    counter.latencies[counter.count % WINDOW] = latency;
    counter.count += 1;
    if (failed) counter.errors += 1;
  }
}

function nothing(): void {}
