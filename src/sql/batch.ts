import type { SqlValue } from './driver.ts';
import { type TableName, table } from './schema/tables.ts';

/**
 * A batch is the write path as data: at most one pin, at most one guarded head update, and rows for
 * tables. SQLite runs it as prepared statements in one transaction, PostgreSQL as one CTE statement.
 * If the pin or the guard doesn't hold, nothing at all is written.
 */
export interface Batch {
  pin?: Pin;
  guard?: HeadGuard;
  ops: Op[];
}

/**
 * Raises a branch's `pinned` position, provided that no rewrite in place happened since the branch was
 * read (`epoch` counts them): then the rows below `position` are still the ones that were read.
 */
export interface Pin {
  tree: number;
  branch: number;
  epoch: number;
  position: number;
}

/** The head row is locked first; every condition is evaluated on the locked row, never on another table. */
export interface HeadGuard {
  tree: number;
  agent: number;
  /** The state that the batch was planned on; null for event-only commits, which depend on none. */
  revision: number | null;
  expectedVersion: number | null;
  lease: { token: number; holderId: string } | null;
  /** Events and decisions may be written while somebody else holds the lease. */
  needsLease: boolean;
  /** Number of events of this batch: their cursors follow the head's. */
  events: number;
  /** When it happened; raised to the agent's last instant, so that instants never run backwards. */
  at: number;
  /** New values of the head's columns; null for event-only commits. */
  set: HeadUpdate | null;
}

export interface HeadUpdate {
  branch: number;
  version: number;
  messageCount: number;
  callCount: number;
  unlinkedCalls: number;
  pendingApprovals: number;
  usageCount: number;
  status: number;
  lastSfpIndex: number;
  bookmarkSeq: number | null;
  bookmarkAt: number | null;
  breakpoint: string | null;
}

/**
 * Rows for one table, each in the order of `columns`.
 * - insert: new rows.
 * - upsert: replaces every column that is neither of the primary key nor in `keep`.
 * - update: sets `columns` (beyond the primary key); a null keeps a column named in `keep`.
 * - remove: the rows that have these values in `columns`.
 */
export type Op =
  | { kind: 'insert'; table: TableName; rows: SqlValue[][] }
  | { kind: 'upsert'; table: TableName; keep?: readonly string[]; rows: SqlValue[][] }
  | {
      kind: 'update';
      table: TableName;
      columns: readonly string[];
      keep: readonly string[];
      rows: SqlValue[][];
    }
  | { kind: 'remove'; table: TableName; columns: readonly string[]; rows: SqlValue[][] };

/** The columns that an operation's rows have values for, in their order. */
export function columnsOf(op: Op): readonly string[] {
  return op.kind === 'update' || op.kind === 'remove' ? op.columns : Object.keys(table(op.table).columns);
}

/** The head as it was when the guard was evaluated: it says why a batch was refused. */
export interface BatchOutcome {
  applied: boolean;
  /** False when the pin's branch was rewritten or removed meanwhile. */
  pinHeld: boolean;
  head?: ObservedHead;
  /** After an applied batch: the cursor of the agent's newest event, and the instant used. */
  cursor: number;
  at: number;
}

export interface ObservedHead {
  revision: number;
  version: number;
  messageCount: number;
  leaseToken: number;
  leaseHolder: string | null;
  leaseExpiresAt: number | null;
  /** The database's clock (PostgreSQL) or this machine's (SQLite), in epoch milliseconds. */
  now: number;
}
