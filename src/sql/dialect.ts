import type { Migration } from './migrations.ts';

export type DialectName = 'sqlite' | 'postgres';

/** What SQL text needs to know about its database. Everything else is written once for both. */
export interface Dialect {
  readonly name: DialectName;
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
