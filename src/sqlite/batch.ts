import {
  type Batch,
  type BatchOutcome,
  columnsOf,
  type HeadGuard,
  type ObservedHead,
  type Op,
  type Pin,
} from '../sql/batch.ts';
import type { Row, SqlValue } from '../sql/driver.ts';
import { type ColumnKind, table } from '../sql/schema/tables.ts';
import { composed, type Statement, statement } from '../sql/statement.ts';
import { sqliteDialect } from './dialect.ts';

/** Runs one statement on the connection, prepared once. */
export interface Executor {
  all(statement: Statement, params: readonly SqlValue[]): Row[];
  run(statement: Statement, params: readonly SqlValue[]): number;
}

const LOCKED_HEAD = statement(
  'locked_head',
  `SELECT revision, version, message_count, cursor, last_at, lease_token, lease_holder, lease_expires_at
   FROM {heads} WHERE tree = $1 AND agent = $2`,
);

const PIN = statement(
  'pin_branch',
  `UPDATE {branches} SET pinned = max(pinned, $4) WHERE tree = $1 AND branch = $2 AND epoch = $3`,
);

const ADVANCE_EVENTS = statement(
  'advance_events',
  'UPDATE {heads} SET cursor = $3, last_at = $4 WHERE tree = $1 AND agent = $2',
);

const ADVANCE_STATE = statement(
  'advance_state',
  `UPDATE {heads} SET cursor = $3, last_at = $4, updated_at = $4, revision = revision + 1,
     branch = $5, version = $6, message_count = $7, call_count = $8, unlinked_calls = $9, pending_approvals = $10,
     usage_count = $11, status = $12, last_sfp_index = $13, bookmark_seq = $14, bookmark_at = $15, breakpoint = $16
   WHERE tree = $1 AND agent = $2`,
);

/** Thrown to roll the unit back when the pin doesn't hold after the guard was written. */
export class Refused extends Error {
  readonly outcome: BatchOutcome;

  constructor(outcome: BatchOutcome) {
    super('The batch was refused');
    this.outcome = outcome;
  }
}

/** Runs inside of a transaction that holds the write lock. Throws `Refused` when nothing may be written. */
export function runBatch(db: Executor, batch: Batch, now: number): BatchOutcome {
  const outcome: BatchOutcome = { applied: true, pinHeld: true, cursor: 0, at: now };
  let floor = Number.NEGATIVE_INFINITY;
  let firstCursor = 0;
  if (batch.pin && !holdPin(db, batch.pin)) {
    throw new Refused({ ...outcome, applied: false, pinHeld: false });
  }
  if (batch.guard) {
    const row = db.all(LOCKED_HEAD, [batch.guard.tree, batch.guard.agent])[0];
    const head = row && observe(row, now);
    if (!row || !head || !holds(batch.guard, head)) {
      throw new Refused({ ...outcome, applied: false, ...(head ? { head } : {}) });
    }
    floor = Number(row.last_at);
    outcome.at = Math.max(batch.guard.at, floor);
    firstCursor = Number(row.cursor) + 1;
    outcome.cursor = Number(row.cursor) + batch.guard.events;
    outcome.head = head;
    advance(db, batch.guard, outcome);
  }
  for (const op of batch.ops) writeRows(db, op, firstCursor, floor);
  return outcome;
}

function holdPin(db: Executor, pin: Pin): boolean {
  return db.run(PIN, [pin.tree, pin.branch, pin.epoch, pin.position]) === 1;
}

function observe(row: Row, now: number): ObservedHead {
  return {
    revision: Number(row.revision),
    version: Number(row.version),
    messageCount: Number(row.message_count),
    leaseToken: Number(row.lease_token),
    leaseHolder: row.lease_holder === null ? null : String(row.lease_holder),
    leaseExpiresAt: row.lease_expires_at === null ? null : Number(row.lease_expires_at),
    now,
  };
}

function holds(guard: HeadGuard, head: ObservedHead): boolean {
  if (guard.revision !== null && guard.revision !== head.revision) return false;
  if (guard.expectedVersion !== null && guard.expectedVersion !== head.version) return false;
  const leased = head.leaseHolder !== null && (head.leaseExpiresAt ?? 0) > head.now;
  if (!guard.lease) return !guard.needsLease || !leased;
  return leased && guard.lease.holderId === head.leaseHolder && guard.lease.token === head.leaseToken;
}

function advance(db: Executor, guard: HeadGuard, outcome: BatchOutcome): void {
  const moved = [guard.tree, guard.agent, outcome.cursor, outcome.at];
  const set = guard.set;
  if (!set) {
    db.run(ADVANCE_EVENTS, moved);
    return;
  }
  db.run(ADVANCE_STATE, [
    ...moved,
    set.branch,
    set.version,
    set.messageCount,
    set.callCount,
    set.unlinkedCalls,
    set.pendingApprovals,
    set.usageCount,
    set.status,
    set.lastSfpIndex,
    set.bookmarkSeq,
    set.bookmarkAt,
    set.breakpoint,
  ]);
}

function writeRows(db: Executor, op: Op, firstCursor: number, floor: number): void {
  if (op.rows.length === 0 || op.table === sqliteDialect.absentTable) return;
  const definition = table(op.table);
  const columns = columnsOf(op);
  const kinds = columns.map((column) => definition.columns[column]);
  const text = rowStatement(op, columns);
  for (const row of op.rows) db.run(text, finish(row, kinds, firstCursor, floor));
}

/** Completes stamps and cursors: see `ColumnKind`. */
function finish(
  row: readonly SqlValue[],
  kinds: readonly (ColumnKind | undefined)[],
  firstCursor: number,
  floor: number,
): SqlValue[] {
  return row.map((value, i) => {
    if (kinds[i] === 'cursor') return firstCursor + Number(value);
    if (kinds[i] === 'stamp') return Math.max(Number(value), floor);
    return value;
  });
}

function rowStatement(op: Op, columns: readonly string[]): Statement {
  const { key } = table(op.table);
  const params = columns.map((_column, i) => `$${i + 1}`).join(', ');
  const byKey = (names: readonly string[]) =>
    names.map((column) => `${column} = $${columns.indexOf(column) + 1}`).join(' AND ');
  const name = `${op.kind}_${op.table}`;
  switch (op.kind) {
    case 'insert':
      return composed(name, `INSERT INTO {${op.table}} (${columns.join(', ')}) VALUES (${params})`);
    case 'upsert': {
      const set = columns
        .filter((column) => !key.includes(column) && !op.keep?.includes(column))
        .map((column) => `${column} = excluded.${column}`);
      return composed(
        name,
        `INSERT INTO {${op.table}} (${columns.join(', ')}) VALUES (${params})
         ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.join(', ')}`,
      );
    }
    case 'update': {
      const set = columns
        .filter((column) => !key.includes(column))
        .map((column) => {
          const value = `$${columns.indexOf(column) + 1}`;
          return `${column} = ${op.keep.includes(column) ? `coalesce(${value}, ${column})` : value}`;
        });
      return composed(name, `UPDATE {${op.table}} SET ${set.join(', ')} WHERE ${byKey(key)}`);
    }
    case 'remove':
      return composed(name, `DELETE FROM {${op.table}} WHERE ${byKey(columns)}`);
  }
}
