import type { Directory } from './directory.ts';
import type { Driver } from './port/driver.ts';

/** What the modules of the SQL store share. */
export interface SqlContext {
  readonly driver: Driver;
  readonly directory: Directory;
}
