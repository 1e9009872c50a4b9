import type { Database, Statement } from 'better-sqlite3';
import { isBusy } from './errors.ts';

interface Unit {
  run(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

type Outcome = { value: unknown } | { error: unknown };

/** More units than this don't make a sync cheaper, and they make everybody wait longer. */
export const MAX_UNITS = 256;
const RETRY_MS = 5;

/**
 * Group commit: writes that arrive together share one transaction and so one sync of the disk. Each runs
 * in a savepoint of its own, and none is acknowledged before COMMIT has returned.
 */
export class WriteQueue {
  readonly #db: Database;
  readonly #control: Record<
    'begin' | 'savepoint' | 'release' | 'rollbackTo' | 'commit' | 'rollback',
    Statement
  >;
  readonly #busyTimeoutMs: number;
  readonly #units: Unit[] = [];
  #flushing: Promise<void> | undefined;

  constructor(db: Database, busyTimeoutMs: number) {
    this.#db = db;
    this.#control = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      savepoint: db.prepare('SAVEPOINT kode_unit'),
      release: db.prepare('RELEASE kode_unit'),
      rollbackTo: db.prepare('ROLLBACK TO kode_unit'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
    };
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** Runs a synchronous write within a transaction; resolves once it is on disk. */
  submit<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#units.push({ run, resolve: resolve as Unit['resolve'], reject });
      this.#flushing ??= this.#flushAll();
    });
  }

  /** Resolves when everything that was submitted is settled. */
  async drain(): Promise<void> {
    await this.#flushing;
  }

  async #flushAll(): Promise<void> {
    // One turn of the event loop, so that everything which is ready to commit now joins this transaction.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#units.length > 0) {
      await this.#flush(this.#units.splice(0, MAX_UNITS));
    }
    this.#flushing = undefined;
  }

  async #flush(units: Unit[]): Promise<void> {
    let outcomes: Outcome[] | undefined;
    try {
      await this.#begin();
      outcomes = this.#runTogether(units);
    } catch (error) {
      for (const unit of units) unit.reject(error);
      return;
    }
    if (outcomes) {
      units.forEach((unit, i) => {
        settle(unit, outcomes[i] ?? { error: new Error('a unit of a group commit has no outcome') });
      });
      return;
    }
    // Something ended the whole transaction (a full disk does): nobody's failure but its own counts.
    for (const unit of units) await this.#flushAlone(unit);
  }

  /** Undefined when the transaction as a whole is lost; it's rolled back then. */
  #runTogether(units: Unit[]): Outcome[] | undefined {
    const db = this.#db;
    const { savepoint, release, rollbackTo, commit, rollback } = this.#control;
    const alone = units.length === 1;
    const outcomes: Outcome[] = [];
    try {
      for (const unit of units) {
        if (!alone) savepoint.run();
        try {
          outcomes.push({ value: unit.run() });
        } catch (error) {
          if (alone) {
            if (db.inTransaction) rollback.run();
            return [{ error }];
          }
          if (!db.inTransaction) return undefined;
          rollbackTo.run();
          outcomes.push({ error });
        }
        if (!alone) release.run();
      }
      commit.run();
      return outcomes;
    } catch (error) {
      if (db.inTransaction) rollback.run();
      return alone ? [{ error }] : undefined;
    }
  }

  async #flushAlone(unit: Unit): Promise<void> {
    try {
      await this.#begin();
      const [outcome] = this.#runTogether([unit]) ?? [];
      settle(unit, outcome ?? { error: new Error('a unit of a group commit has no outcome') });
    } catch (error) {
      unit.reject(error);
    }
  }

  #begin(): Promise<void> {
    return this.whenFree(() => {
      this.#control.begin.run();
    });
  }

  /**
   * Repeats `work` while another process has the file locked. SQLite's own busy handler sleeps on the
   * event loop, so it is kept to a few milliseconds and the waiting is done here.
   */
  async whenFree<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + this.#busyTimeoutMs;
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * (0.5 + Math.random())));
      }
    }
  }
}

function settle(unit: Unit, outcome: Outcome): void {
  if ('error' in outcome) unit.reject(outcome.error);
  else unit.resolve(outcome.value);
}
