import { CLOCK } from '../model/clock.ts';
import { CheckedExtendedStore } from '../store/checked-extended-store.ts';
import type { HealthReport } from '../store/store.ts';
import { checkHealth } from './check/health.ts';
import type { Engine } from './engine.ts';
import { SqlTrustingStore } from './trusting-store.ts';

/** The store on any SQL database. What a database provides itself is how to connect, and where a backup goes. */
export abstract class SqlStore extends CheckedExtendedStore<SqlTrustingStore> {
  /**
   * Opens the database and brings its schema up to date. Called once; again after a failure. Ends with the signal,
   * and changes nothing then.
   */
  protected abstract connect(signal: AbortSignal): Promise<Engine>;

  /** Where files that belong to the store go; undefined when none was given. */
  protected abstract readonly fileStoreDirectory: string | undefined;

  /** Where a backup goes that is to go to a path, or to a place of the store's choice. */
  protected abstract backupPath(path: string | undefined): string;

  protected async openBackend(signal: AbortSignal): Promise<SqlTrustingStore> {
    return new SqlTrustingStore(await this.connect(signal), (path) => this.backupPath(path));
  }

  protected checkHealth(): Promise<HealthReport> {
    return checkHealth(async () => (await this.opening.now()).engine, this.fileStoreDirectory, this[CLOCK]);
  }
}
