import Database from 'better-sqlite3';

type Prepare = typeof Database.prototype.prepare;
const CALLS = ['run', 'get', 'all'] as const;

/**
 * Counts the transactions of every connection that is used from now on: what is executed while none is
 * open begins one, be it BEGIN or a statement that stands alone.
 */
export class TransactionCounter {
  count = 0;
  readonly #original: Prepare = Database.prototype.prepare;

  constructor() {
    const counter = this;
    const original = this.#original;
    Database.prototype.prepare = function prepare(this: Database.Database, source: string) {
      const statement = original.call(this, source);
      for (const name of CALLS) {
        const call = statement[name] as (...params: unknown[]) => unknown;
        const counted = (...params: unknown[]) => {
          if (!this.inTransaction) counter.count += 1;
          return call.apply(statement, params);
        };
        Object.defineProperty(statement, name, { value: counted });
      }
      return statement;
    } as Prepare;
  }

  stop(): void {
    Database.prototype.prepare = this.#original;
  }
}
