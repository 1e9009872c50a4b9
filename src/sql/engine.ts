import { Committer } from './commit/committer.ts';
import { EventWriter } from './commit/events.ts';
import type { SqlContext } from './context.ts';
import { Directory } from './directory.ts';
import type { Driver } from './driver.ts';
import { Leases } from './nouns/leases.ts';

/** What a connected store works with. */
export class Engine {
  readonly context: SqlContext;
  readonly events: EventWriter;
  readonly committer: Committer;
  readonly leases: Leases;

  constructor(driver: Driver) {
    this.context = { driver, directory: new Directory(driver) };
    this.events = new EventWriter(this.context);
    this.committer = new Committer(this.context, this.events);
    this.leases = new Leases(this.context);
  }

  async close(): Promise<void> {
    try {
      await this.leases.held.releaseAll();
    } finally {
      await this.context.driver.close();
    }
  }
}
