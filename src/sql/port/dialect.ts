import type { IndexName } from '../schema/indexes.ts';
import type { TableName } from '../schema/tables.ts';
import type { KeyRanges } from './key-ranges.ts';
import type { Migration } from './migration.ts';

/**
 * What a database can do, and how it says it. Each database's folder has one; everything else is written once
 * for all of them, and never asks which one it is.
 */
export interface Dialect {
  /** For people, and for tests. */
  readonly name: string;
  /** All steps of the schema, in order. */
  readonly migrations: readonly Migration[];
  /** The qualified, quoted name of one of our tables, given its short name. */
  table(name: string): string;
  /** The same of a documented view or function: `kode_messages` is the view that people query. */
  view(name: string): string;
  /** Some tables and indexes are one database's only. Operations on tables that aren't there are left out. */
  hasTable(name: TableName): boolean;
  hasIndex(name: IndexName): boolean;

  /**
   * A statement is a round trip: what is read together is read with one. Where it isn't, many small statements
   * cost less than a large one.
   */
  readonly readsAtOnce: boolean;
  /**
   * It works beside this process: a page can be asked for while the one before it is used, and what reads much
   * holds up nobody.
   */
  readonly worksApart: boolean;
  /**
   * A statement is planned before its values are known, and an unknown limit is taken for a part of the table: an
   * upper bound of it belongs into the text (`plannedLimit`).
   */
  readonly plansByLimits: boolean;
  /** Entries of an index lie apart from long rows: what is counted is best looked for in indexes alone. */
  readonly countsInIndexes: boolean;

  /**
   * What `{now}` stands for: the instant by which leases are judged, in epoch milliseconds. An expression that
   * is evaluated where it stands, or a parameter that the driver gives when it holds the locks.
   */
  readonly now: string;
  /** The smallest of two values in one row. */
  least(one: string, other: string): string;
  /** The largest of two values in one row. */
  greatest(one: string, other: string): string;
  /** The sum of a column that may have no values and whose total may be beyond 64 bits. */
  sum(column: string): string;
  /** Says which index a table's rows are to be found by. Follows the table's name. */
  useIndex(name: IndexName): string;
  /** Joins tables in the order in which they are written, where the database would misjudge another. */
  readonly joinInOrder: string;
  /**
   * Joins the rows of a table that the rows so far name by a key, with a look-up for each. Left alone, planners
   * see other ways, and misjudge them: they don't know that a key's columns belong together. With a lock, each row
   * is locked when it is looked up, in the order of the rows so far.
   */
  joinByKey(table: TableName, alias: string, condition: string, lock?: RowLock): string;
  /** Ends a query whose rows nobody else may change until the transaction ends. */
  lockRow(lock: RowLock): string;
  /** A query of the rows that a parameter has, which is JSON text of a list of lists. */
  rowsOfList(place: string, columns: Readonly<Record<string, 'bigint' | 'text'>>): string;
  /** Some of several queries in one order, each of which comes in it by itself: read no further than `end` needs. */
  mergeRanges(queries: readonly string[], end: string): string;
  /** A page of the keys of these ranges: a query. */
  pageOfKeys(ranges: KeyRanges, page: Page, bind: Bind): string;
  /** The rows of such a page, for FROM: called `alias`, joined to the keys `k` by `key` where that is needed. */
  rowsOfPage(ranges: KeyRanges, page: Page, bind: Bind, row: { alias: string; key: string }): string;
}

/** Against what rows are locked: whatever others do with them but read, changes, or their removal. */
export interface RowLock {
  readonly against: 'use' | 'changes' | 'removal';
  /** The table's alias, where the query has several. */
  readonly of?: string;
  /** Rows that somebody else has locked are left out. */
  readonly skipLocked?: boolean;
}

export interface Page {
  readonly limit: number;
  readonly offset: number;
}

/** Gives the place of a value in a statement's text. */
export type Bind = (value: string | number | null) => string;

export const TABLE_PREFIX = 'kode_data_';
export const VIEW_PREFIX = 'kode_';
