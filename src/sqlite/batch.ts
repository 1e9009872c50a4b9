import { number, numberOrNull, text } from '../sql/codec.ts';
import type { Batch, BatchOutcome, HeadGuard, ObservedHead, Op, Pin } from '../sql/port/batch.ts';
import { statement, statementOfArrays } from '../sql/port/statement.ts';
import type { SqlValue } from '../sql/port/values.ts';
import { sqliteDialect } from './dialect.ts';
import type { Executor } from './executor.ts';
import { copyMetadata, reindexMetadata } from './metadata.ts';
import { finish, rowWriter } from './rows.ts';

const LOCKED_HEAD = statementOfArrays(
  'locked_head',
  `SELECT revision, version, message_count, lease_token, lease_holder_id, lease_expires_at, cursor, last_at
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
     version = $5, message_count = $6, call_count = $7, unlinked_calls = $8, unanswered_calls = $9,
     pending_approvals = $10, usage_count = $11, status = $12, last_sfp_index = $13, bookmark_seq = $14,
     bookmark_at = $15, breakpoint = $16, attempts = $17, retry_at = $18, failure = $19
   WHERE tree = $1 AND agent = $2`,
);
const TOUCH = statement(
  'touch_head',
  'UPDATE {heads} SET revision = revision + 1 WHERE tree = $1 AND agent = $2',
);
const DECIDED = statement(
  'decided_head',
  `UPDATE {heads} SET cursor = $3, last_at = $4, revision = revision + 1, pending_approvals = pending_approvals - 1
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
    if (!head || !holds(batch.guard, head)) {
      throw new Refused({ ...outcome, applied: false, ...(head ? { head } : {}) });
    }
    const cursor = number(row[6]);
    floor = number(row[7]);
    outcome.at = Math.max(batch.guard.at, floor);
    firstCursor = cursor + 1;
    outcome.cursor = cursor + batch.guard.events;
    outcome.head = head;
    advance(db, batch.guard, outcome);
  }
  for (const op of batch.ops) writeRows(db, op, firstCursor, floor);
  return outcome;
}

function holdPin(db: Executor, pin: Pin): boolean {
  return db.run(PIN, [pin.tree, pin.branch, pin.epoch, pin.position]) === 1;
}

function observe(row: readonly SqlValue[], now: number): ObservedHead {
  return {
    revision: number(row[0]),
    version: number(row[1]),
    messageCount: number(row[2]),
    leaseToken: number(row[3]),
    leaseHolder: text(row[4]),
    leaseExpiresAt: numberOrNull(row[5]),
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
  if (set === 'touched') {
    db.run(TOUCH, [guard.tree, guard.agent]);
    return;
  }
  if (set === 'decided') {
    db.run(DECIDED, moved);
    return;
  }
  db.run(ADVANCE_STATE, [
    ...moved,
    set.version,
    set.messageCount,
    set.callCount,
    set.unlinkedCalls,
    set.unansweredCalls,
    set.pendingApprovals,
    set.usageCount,
    set.status,
    set.lastSfpIndex,
    set.bookmarkSeq,
    set.bookmarkAt,
    set.breakpoint,
    set.attempts,
    set.retryAt,
    set.failure,
  ]);
}

function writeRows(db: Executor, op: Op, firstCursor: number, floor: number): void {
  if (op.rows.length === 0 || !sqliteDialect.hasTable(op.table)) return;
  if (op.kind === 'reindex') {
    for (const [tree, agent, text] of op.rows) reindexMetadata(db, { tree, agent }, text);
    return;
  }
  if (op.kind === 'copy' && op.table === 'metadata') {
    copyMetadata(
      db,
      op.source,
      op.rows.map(([agent]) => Number(agent)),
    );
    return;
  }
  const writer = rowWriter(op);
  for (const row of op.rows) {
    const finished = finish(row, writer, firstCursor, floor);
    const params = op.kind === 'copy' ? [...finished, op.source.tree, op.source.agent] : finished;
    db.run(writer.statement, params);
  }
}
