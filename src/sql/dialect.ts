import type { Migration } from './migrations.ts';

export type DialectName = 'sqlite' | 'postgres';

/** What SQL text needs to know about its database. Everything else is written once for both. */
export interface Dialect {
  readonly name: DialectName;
  /**
   * What `{now}` stands for: the instant by which leases are judged, in epoch milliseconds. An expression that
   * is evaluated where it stands, or a parameter that the driver gives when it holds the locks.
   */
  readonly now: string;
  /** The qualified, quoted name of one of our tables, given its short name. */
  table(name: string): string;
  /** The table of the other database's metadata index: operations on it are left out. */
  readonly absentTable: string;
  /** The same of a documented view or function: `kode_messages` is the view that people query. */
  view(name: string): string;
  /** All steps of the schema, in order. */
  readonly migrations: readonly Migration[];
}

export const TABLE_PREFIX = 'kode_data_';
export const VIEW_PREFIX = 'kode_';
