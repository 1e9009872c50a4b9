import type { AgentKeys } from '../keys.ts';
import { type TableName, table } from '../schema/tables.ts';
import type { SqlValue } from './values.ts';

/**
 * A batch is the write path as data: at most one pin, at most one guarded head update, and rows for
 * tables. A driver runs it as prepared statements in one transaction, or as one statement in one round trip.
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
  /**
   * New values of the head's columns. `touched`: none, but plans made before are to be made anew. `decided`:
   * the same, and one call less awaits a decision. Null: nothing that a plan depends on changes.
   */
  set: HeadUpdate | 'touched' | 'decided' | null;
}

/** The branch isn't among them: a rewrite moves the head to another one before it commits. */
export interface HeadUpdate {
  version: number;
  messageCount: number;
  callCount: number;
  unlinkedCalls: number;
  unansweredCalls: number;
  pendingApprovals: number;
  usageCount: number;
  status: number;
  lastSfpIndex: number;
  bookmarkSeq: number | null;
  bookmarkAt: number | null;
  breakpoint: string | null;
  attempts: number;
  retryAt: number | null;
  failure: string | null;
}

/**
 * Rows for one table, each in the order of `columns`.
 * - insert: new rows.
 * - upsert: replaces every column that is neither of the primary key nor in `keep`.
 * - update: sets `columns` (beyond the primary key); a null keeps a column named in `keep`.
 * - remove: the rows that have these values in `columns`.
 * - copy: for each row given, the source's rows of that table, with these values in `columns` and the value
 *   of `append` added to the JSON array that is there. Whatever changes such rows of an agent raises its
 *   revision: copies belong into batches whose guard names it.
 * - reindex: the index of an agent's metadata becomes that of a new text. Comes before the text is stored.
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
  | { kind: 'remove'; table: TableName; columns: readonly string[]; rows: SqlValue[][] }
  | {
      kind: 'copy';
      table: TableName;
      source: AgentKeys;
      columns: readonly string[];
      append?: string;
      rows: SqlValue[][];
    }
  | { kind: 'reindex'; table: 'metadata'; rows: [tree: number, agent: number, text: string][] };

/** The columns that an operation's rows have values for, in their order. */
export function columnsOf(op: Op): readonly string[] {
  return 'columns' in op ? op.columns : Object.keys(table(op.table).columns);
}

/** What a copy's rows are made of: `given` says how a column's new value is written, `s` is the source's row. */
export function copiedValues(op: Extract<Op, { kind: 'copy' }>, given: (column: string) => string): string {
  const values = Object.keys(table(op.table).columns).map((column) => {
    if (column === op.append) return appended(`s.${column}`, given(column));
    return op.columns.includes(column) ? given(column) : `s.${column}`;
  });
  return values.join(', ');
}

/** Arrays are stored as `JSON.stringify` writes them, so there is no blank before the bracket. */
function appended(array: string, item: string): string {
  return `CASE ${array} WHEN '[]' THEN '[' ELSE substr(${array}, 1, length(${array}) - 1) || ',' END || ${item} || ']'`;
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
  /** By the clock that leases are judged by, in epoch milliseconds. */
  now: number;
}
