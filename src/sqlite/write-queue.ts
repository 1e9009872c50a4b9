import type { Database } from 'better-sqlite3';
import { StoreBusyError } from '../errors.ts';
import { type Outcome, Transactions } from './transaction.ts';
import { retryPause } from './when-free.ts';

interface Unit {
  readonly run: () => unknown;
  /** When it came, by the monotonic clock. */
  readonly since: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** More units than this don't make a sync cheaper, and they make everybody wait longer. */
export const MAX_UNITS = 256;
/** More writes than this at once come from a loop that doesn't wait for any of them. */
export const DEFAULT_MAX_QUEUED_WRITES = 100_000;

export interface WriteQueueOptions {
  /** How long a write waits while other processes keep the file locked. */
  readonly busyTimeoutMs: number;
  /** Writes that may wait at a time. */
  readonly maxQueuedWrites: number;
  /** Asked before each transaction; throws if there must be none. */
  readonly mayWrite?: (() => void) | undefined;
}

/**
 * Group commit: writes that arrive together share one transaction and so one sync of the disk, and none is
 * acknowledged before COMMIT has returned. Between two transactions everything else has its turn.
 */
export class WriteQueue {
  readonly #transactions: Transactions;
  readonly #options: WriteQueueOptions;
  readonly #units: Unit[] = [];
  #flushing: Promise<void> | undefined;
  /** Since when each attempt found the file locked. */
  #lockedSince: number | undefined;
  /** Units at the head of the queue that have to be run one by one. */
  #singly = 0;

  constructor(db: Database, options: WriteQueueOptions) {
    this.#transactions = new Transactions(db);
    this.#options = options;
  }

  /** Runs a synchronous write within a transaction, again if need be; resolves once it is on disk. */
  submit<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#units.length >= this.#options.maxQueuedWrites) {
        reject(full(this.#units.length));
        return;
      }
      this.#units.push({ run, since: performance.now(), resolve: resolve as Unit['resolve'], reject });
      this.#flushing ??= this.#flushAll();
    });
  }

  /** The same, ahead of everything that waits, and also where the line is full. */
  submitFirst<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // As old as who was first, because the line is in the order of its units' ages.
      const since = this.#units[0]?.since ?? performance.now();
      this.#units.unshift({ run, since, resolve: resolve as Unit['resolve'], reject });
      if (this.#singly > 0) this.#singly += 1;
      this.#flushing ??= this.#flushAll();
    });
  }

  /** Resolves when everything that was submitted is settled. */
  async drain(): Promise<void> {
    await this.#flushing;
  }

  async #flushAll(): Promise<void> {
    for (;;) {
      // One turn of the event loop, so that everything which is ready to commit now joins this transaction.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#units.length === 0) break;
      if (!this.#flush()) await retryPause();
    }
    this.#flushing = undefined;
  }

  /** Nothing in here awaits anything. False while the file is locked. */
  #flush(): boolean {
    const units = this.#units.slice(0, this.#singly > 0 ? 1 : MAX_UNITS);
    let outcomes: Outcome[];
    try {
      this.#options.mayWrite?.();
      const attempt = this.#transactions.run(units.map(({ run }) => run));
      if ('busy' in attempt) {
        this.#refuseOverdue(attempt.busy);
        return false;
      }
      this.#lockedSince = undefined;
      if ('lost' in attempt) {
        this.#singly = units.length;
        return true;
      }
      outcomes = attempt.outcomes;
    } catch (error) {
      outcomes = units.map(() => ({ error }));
    }
    this.#take(units.length).forEach((unit, i) => {
      settle(unit, outcomes[i] ?? { error: new Error('a unit of a group commit has no outcome') });
    });
    return true;
  }

  /** Who came while the file was locked already has waited since then, everybody else since it is locked. */
  #refuseOverdue(error: unknown): void {
    const now = performance.now();
    this.#lockedSince ??= now;
    const overdue = now - this.#options.busyTimeoutMs;
    if (this.#lockedSince > overdue) return;
    const index = this.#units.findIndex(({ since }) => since > overdue);
    for (const unit of this.#take(index === -1 ? this.#units.length : index)) unit.reject(error);
  }

  #take(count: number): Unit[] {
    this.#singly = Math.max(0, this.#singly - count);
    return this.#units.splice(0, count);
  }
}

function settle(unit: Unit, outcome: Outcome): void {
  if ('error' in outcome) unit.reject(outcome.error);
  else unit.resolve(outcome.value);
}

function full(waiting: number): StoreBusyError {
  return new StoreBusyError(
    `${waiting} writes wait for the SQLite file already, and this one was not stored. Await writes before making more of them, or raise the option maxQueuedWrites.`,
  );
}
