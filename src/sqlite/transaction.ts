import type { Database, Statement } from 'better-sqlite3';
import { isBusy } from './errors.ts';

/** What became of one unit of work: its result, or why nothing of it was written. */
export type Outcome = { value: unknown } | { error: unknown };

/**
 * What became of a transaction. `busy`: another process has the file locked, and nothing ran or everything was
 * undone. `lost`: something ended the transaction as a whole, as a full disk does, and nobody's failure but its
 * own counts: each unit is to be run again by itself.
 */
export type Attempt = { outcomes: Outcome[] } | { busy: unknown } | { lost: true };

/**
 * Runs units of work in one transaction, each in a savepoint, from BEGIN to COMMIT without giving way: whatever
 * else uses the connection (a read, another snapshot's BEGIN) comes before or after it, never in between.
 */
export class Transactions {
  readonly #db: Database;
  readonly #control: Record<
    'begin' | 'savepoint' | 'release' | 'rollbackTo' | 'commit' | 'rollback',
    Statement
  >;

  constructor(db: Database) {
    this.#db = db;
    this.#control = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      savepoint: db.prepare('SAVEPOINT kode_unit'),
      release: db.prepare('RELEASE kode_unit'),
      rollbackTo: db.prepare('ROLLBACK TO kode_unit'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
    };
  }

  /** Throws when no transaction can be had at all. */
  run(units: readonly (() => unknown)[]): Attempt {
    try {
      this.#control.begin.run();
    } catch (error) {
      if (isBusy(error)) return { busy: error };
      throw error;
    }
    const outcomes = units.length === 1 ? this.#alone(units[0]) : this.#together(units);
    if (!outcomes) return { lost: true };
    if (!this.#db.inTransaction) return { outcomes };
    return this.#commit(outcomes);
  }

  #alone(unit: (() => unknown) | undefined): Outcome[] {
    try {
      return [{ value: unit?.() }];
    } catch (error) {
      this.#rollback();
      return [{ error }];
    }
  }

  /** Undefined when the transaction as a whole is lost. */
  #together(units: readonly (() => unknown)[]): Outcome[] | undefined {
    const { savepoint, release, rollbackTo } = this.#control;
    const outcomes: Outcome[] = [];
    try {
      for (const unit of units) {
        savepoint.run();
        try {
          outcomes.push({ value: unit() });
        } catch (error) {
          if (!this.#db.inTransaction) return undefined;
          rollbackTo.run();
          outcomes.push({ error });
        }
        release.run();
      }
      return outcomes;
    } catch {
      this.#rollback();
      return undefined;
    }
  }

  #commit(outcomes: Outcome[]): Attempt {
    try {
      this.#control.commit.run();
      return { outcomes };
    } catch (error) {
      this.#rollback();
      if (isBusy(error)) return { busy: error };
      return outcomes.length === 1 ? { outcomes: [{ error }] } : { lost: true };
    }
  }

  #rollback(): void {
    if (this.#db.inTransaction) this.#control.rollback.run();
  }
}
