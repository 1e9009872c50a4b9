import type { SqlContext } from './context.ts';
import { Directory } from './directory.ts';
import { Leases } from './lease/leases.ts';
import type { Driver } from './port/driver.ts';
import { Committer } from './write/committer.ts';
import { Forks } from './write/fork/forks.ts';

/** How long leases may take to be given back when the store closes. */
const RELEASE_MS = 2_000;

/** What a connected store works with. */
export class Engine {
  readonly context: SqlContext;
  /** For queries over agents: the same database, or a replica of it. */
  readonly queries: SqlContext;
  readonly committer: Committer;
  readonly forks: Forks;
  readonly leases: Leases;

  /** `holder`: the name under which leases are held. */
  constructor(driver: Driver, options: { reader?: Driver | undefined; holder?: string | undefined } = {}) {
    const { reader = driver, holder } = options;
    this.context = { driver, directory: new Directory(driver) };
    this.queries = reader === driver ? this.context : { driver: reader, directory: new Directory(reader) };
    this.committer = new Committer(this.context);
    this.forks = new Forks(this.context, this.committer);
    this.leases = new Leases(this.context, holder);
  }

  /** Ends all that is under way. */
  endAll(): void {
    this.queries.driver.endAll();
    this.context.driver.endAll();
  }

  /** Gives the leases back, if the database takes them in time; else they run out. */
  async close(): Promise<void> {
    const late = this.context.driver.clock.after(RELEASE_MS, () => this.endAll());
    try {
      await this.leases.held.releaseAll();
    } finally {
      late.cancel();
      const drivers = new Set([this.context.driver, this.queries.driver]);
      await Promise.all([...drivers].map((driver) => driver.close()));
    }
  }
}
