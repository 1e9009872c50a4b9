import { Committer } from './commit/committer.ts';
import type { SqlContext } from './context.ts';
import { Directory } from './directory.ts';
import type { Driver } from './driver.ts';
import { Forks } from './nouns/forks.ts';
import { Leases } from './nouns/leases.ts';

/** What a connected store works with. */
export class Engine {
  readonly context: SqlContext;
  /** For queries over agents: the same database, or a replica of it. */
  readonly queries: SqlContext;
  readonly committer: Committer;
  readonly forks: Forks;
  readonly leases: Leases;

  constructor(driver: Driver, reader: Driver = driver) {
    this.context = { driver, directory: new Directory(driver) };
    this.queries = reader === driver ? this.context : { driver: reader, directory: new Directory(reader) };
    this.committer = new Committer(this.context);
    this.forks = new Forks(this.context, this.committer);
    this.leases = new Leases(this.context);
  }

  async close(): Promise<void> {
    try {
      await this.leases.held.releaseAll();
    } finally {
      if (this.queries !== this.context) await this.queries.driver.close();
      await this.context.driver.close();
    }
  }
}
