import { setMaxListeners } from 'node:events';
import { StoreClosedError } from '../errors.ts';
import type { Clock, Timer } from '../model/clock.ts';
import { type Paged, PagedIteration } from './paged.ts';
import { assertRoomForCall } from './queues.ts';
import type { OperationMetrics } from './store.ts';
import { withRemedy } from './unknown-outcome.ts';

/** Latencies remembered per operation. */
export const WINDOW = 1_024;

/** What has been told to end has so long for it. */
const MOMENT_MS = 500;

/** How long `close` waits for what is under way, and how it ends it then. */
export interface ClosingLimit {
  readonly ms: number;
  readonly endAll: () => void;
}

interface Counter {
  count: number;
  errors: number;
  latencies: number[];
}

/** A call under way, for whoever carries it out. */
export interface Settling<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Every call on a store goes through here: it is refused after `close`, `close` waits for it, and it is
 * counted and timed.
 */
export class Lifecycle {
  readonly startedAt: Date;
  readonly #counters = new Map<string, Counter>();
  readonly #closing = endlessly(new AbortController());
  #underWay = 0;
  #whenIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;
  readonly #clock: Clock;
  readonly #explain: (error: unknown) => unknown;

  /** `explain`: what an error of a call is to its caller. */
  constructor(clock: Clock, explain: (error: unknown) => unknown) {
    this.#clock = clock;
    this.startedAt = new Date(clock.now());
    this.#explain = explain;
  }

  /** Aborted when the store begins to close: ends what waits for things to come. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  assertOpen(): void {
    if (this.#closed) throw new StoreClosedError();
  }

  /** `kind`: which kind of this operation it was, where there are several. */
  async run<T>(operation: string, work: () => Promise<T>, kind?: () => string): Promise<T> {
    const start = this.begin();
    let failed = true;
    try {
      const result = await work();
      failed = false;
      return result;
    } catch (error) {
      throw this.explain(error, kind?.() ?? operation);
    } finally {
      this.end(operation, start, failed);
    }
  }

  /** The same for work that settles the call itself, without a promise of its own. */
  call<T>(operation: string, work: (call: Settling<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = new Call(this, operation, resolve, reject);
      try {
        work(call);
      } catch (error) {
        call.reject(error);
      }
    });
  }

  /** What an error of a call is to its caller. */
  explain(error: unknown, call: string): unknown {
    return withRemedy(this.#explain(error), call);
  }

  /** To be followed by `end`. */
  begin(): number {
    this.assertOpen();
    assertRoomForCall(this.#underWay);
    this.#underWay += 1;
    return performance.now();
  }

  end(operation: string, start: number, failed: boolean): void {
    this.#underWay -= 1;
    this.#count(operation, performance.now() - start, failed);
    if (this.#underWay === 0) this.#whenIdle?.();
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

  /** The same in pages: each page is a call of its own. */
  iteratePages<R, T>(
    operation: string,
    open: () => Promise<Paged<R, T>>,
  ): AsyncIterableIterator<T, undefined> {
    const guard = {
      assertOpen: () => this.assertOpen(),
      run: <S>(work: () => Promise<S>) => this.run(operation, work),
    };
    return new PagedIteration(guard, open);
  }

  /**
   * Waits for what is under way, then runs `release` once; later calls wait for the same. What is still under
   * way at the limit is told to end, and has a moment for that.
   */
  close(release: () => Promise<void>, limit?: ClosingLimit): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort();
      if (limit && !(await this.#idleWithin(limit.ms))) {
        limit.endAll();
        await this.#idleWithin(MOMENT_MS);
      } else {
        await this.#idle();
      }
      try {
        await release();
      } catch (error) {
        throw this.explain(error, 'close');
      }
    })();
    return this.#closed;
  }

  async #idle(): Promise<void> {
    while (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
  }

  async #idleWithin(ms: number): Promise<boolean> {
    let timer: Timer | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = this.#clock.after(ms, () => resolve(false), { ref: true });
    });
    const idle = this.#idle().then(() => true);
    return Promise.race([idle, late]).finally(() => timer?.cancel());
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

/** Any number of watchers, and of whatever else waits for things to come, may listen for its signal. */
function endlessly(controller: AbortController): AbortController {
  setMaxListeners(0, controller.signal);
  return controller;
}

/** One object for each call, because there may be thousands at once. */
class Call<T> implements Settling<T> {
  readonly #lifecycle: Lifecycle;
  readonly #operation: string;
  readonly #start: number;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    lifecycle: Lifecycle,
    operation: string,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#start = lifecycle.begin();
    this.#lifecycle = lifecycle;
    this.#operation = operation;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(value: T): void {
    this.#lifecycle.end(this.#operation, this.#start, false);
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.#lifecycle.end(this.#operation, this.#start, true);
    this.#reject(this.#lifecycle.explain(error, this.#operation));
  }
}
