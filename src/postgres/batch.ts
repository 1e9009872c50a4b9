import { RecentMap } from '../model/recent-map.ts';
import type { Batch, BatchOutcome, HeadGuard, HeadUpdate, Op } from '../sql/port/batch.ts';
import { type Statement, statement } from '../sql/port/statement.ts';
import type { Row, SqlValue } from '../sql/port/values.ts';
import { ABSENT_TABLE } from './dialect.ts';
import type { Param } from './params.ts';
import { type Bind, type RowOp, rowsPart, rowsShape } from './rows.ts';

/** A batch as one statement, and what it is executed with. */
export interface RenderedBatch {
  readonly statement: Statement;
  readonly params: Param[];
}

/** The statement of all batches of a shape, and where in such a batch each parameter's value is. */
interface Template {
  readonly statement: Statement;
  readonly values: readonly ((batch: Batch, ops: readonly Op[]) => Param)[];
}

/** Commits have a few dozen shapes in use, of thousands that they could have. */
export const MAX_TEMPLATES = 500;

const templates = new RecentMap<string, Template>(MAX_TEMPLATES);

/**
 * A batch as one statement: the pin, the lock on the head, the conditions on the locked row, the head's
 * update, and the rows, chained as common table expressions so that each depends on the one before.
 *
 * The conditions look at the row that FOR UPDATE returned, and they read the clock after the lock was
 * got: a condition in the UPDATE itself would be evaluated before the wait, and not again if the other
 * transaction rolled back.
 */
export function renderBatch(batch: Batch, channel: string): RenderedBatch {
  const ops = batch.ops.filter(isWritten);
  const shape = shapeOf(batch, ops);
  let template = templates.get(shape);
  if (!template) {
    template = compose(batch, ops);
    templates.set(shape, template);
  }
  const params = template.values.map((value) => value(batch, ops));
  if (notifies(batch)) params.push(channel);
  return { statement: template.statement, params };
}

function isWritten(op: Op): op is RowOp {
  return op.rows.length > 0 && op.table !== ABSENT_TABLE;
}

function notifies({ guard }: Batch): boolean {
  return guard !== undefined && guard.events > 0;
}

/** Whatever the text depends on. */
function shapeOf(batch: Batch, ops: readonly RowOp[]): string {
  let shape = batch.pin ? 'pin ' : '';
  if (batch.guard) {
    const { set } = batch.guard;
    shape += set === null ? 'guard ' : typeof set === 'string' ? `${set} ` : 'state ';
    if (notifies(batch)) shape += 'notify ';
  }
  for (const op of ops) shape += `${rowsShape(op)};`;
  return shape;
}

function compose(batch: Batch, ops: readonly RowOp[]): Template {
  const values: Template['values'][number][] = [];
  const bind: Bind = (value, type) => {
    values.push(value);
    return `$${values.length}::${type}`;
  };
  const parts: string[] = [];
  if (batch.pin) parts.push(pinPart(bind));
  if (batch.guard) parts.push(...guardParts(batch.guard, batch.pin !== undefined, bind));
  const source = batch.guard ? 'head' : batch.pin ? 'pin' : undefined;
  ops.forEach((op, i) => {
    parts.push(`op${i} AS (${rowsPart(op, i, source, batch.guard !== undefined, bind)})`);
  });
  const text = `WITH ${parts.join(',\n')}\n${resultPart(batch, values.length + 1)}`;
  return { statement: statement('batch', text), values };
}

function pinPart(bind: Bind): string {
  return `pin AS (UPDATE {branches} SET pinned = greatest(pinned, ${bind((b) => b.pin?.position ?? null, 'bigint')})
    WHERE tree = ${bind((b) => b.pin?.tree ?? null, 'bigint')} AND branch = ${bind((b) => b.pin?.branch ?? null, 'bigint')}
      AND epoch = ${bind((b) => b.pin?.epoch ?? null, 'bigint')} RETURNING 1 AS held)`;
}

function guardParts({ set }: HeadGuard, pinned: boolean, bind: Bind): string[] {
  const of = (value: (guard: HeadGuard) => SqlValue, type: string) =>
    bind(({ guard }) => (guard ? value(guard) : null), type);
  const tree = of((guard) => guard.tree, 'bigint');
  const agent = of((guard) => guard.agent, 'bigint');
  const revision = of((guard) => guard.revision, 'bigint');
  const version = of((guard) => guard.expectedVersion, 'bigint');
  const holder = of((guard) => guard.lease?.holderId ?? null, 'text');
  const token = of((guard) => guard.lease?.token ?? null, 'bigint');
  const needsLease = of((guard) => (guard.needsLease ? 1 : 0), 'int');
  const locked = `locked AS MATERIALIZED (
    SELECT h.revision, h.version, h.message_count, h.cursor, h.last_at, h.lease_token, h.lease_holder_id, h.lease_expires_at
    FROM {heads} h${pinned ? ', pin' : ''} WHERE h.tree = ${tree} AND h.agent = ${agent} FOR NO KEY UPDATE OF h)`;
  const allowed = `allowed AS MATERIALIZED (
    SELECT cursor, last_at FROM locked
    WHERE (${revision} IS NULL OR revision = ${revision}) AND (${version} IS NULL OR version = ${version})
      AND CASE WHEN ${holder} IS NULL
        THEN ${needsLease} = 0 OR lease_holder_id IS NULL OR lease_expires_at <= {now}
        ELSE lease_holder_id = ${holder} AND lease_token = ${token} AND lease_expires_at > {now} END)`;
  const at = of((guard) => guard.at, 'bigint');
  const events = of((guard) => guard.events, 'bigint');
  const head = `head AS (
    UPDATE {heads} h SET cursor = h.cursor + ${events}, last_at = greatest(h.last_at, ${at})${stateColumns(set, at, bind)}
    FROM allowed WHERE h.tree = ${tree} AND h.agent = ${agent}
    RETURNING allowed.last_at AS floor_at, h.cursor - ${events} + 1 AS first_cursor, h.cursor AS new_cursor,
      h.last_at AS at, h.watched_until)`;
  return [locked, allowed, head];
}

const STATE_COLUMNS: readonly [column: string, field: keyof HeadUpdate, type: string][] = [
  ['version', 'version', 'bigint'],
  ['message_count', 'messageCount', 'bigint'],
  ['call_count', 'callCount', 'bigint'],
  ['unlinked_calls', 'unlinkedCalls', 'bigint'],
  ['unanswered_calls', 'unansweredCalls', 'bigint'],
  ['pending_approvals', 'pendingApprovals', 'bigint'],
  ['usage_count', 'usageCount', 'bigint'],
  ['status', 'status', 'smallint'],
  ['last_sfp_index', 'lastSfpIndex', 'bigint'],
  ['bookmark_seq', 'bookmarkSeq', 'bigint'],
  ['bookmark_at', 'bookmarkAt', 'bigint'],
  ['breakpoint', 'breakpoint', 'text'],
  ['attempts', 'attempts', 'bigint'],
  ['retry_at', 'retryAt', 'bigint'],
  ['failure', 'failure', 'text'],
];

function stateColumns(set: HeadGuard['set'], at: string, bind: Bind): string {
  if (!set) return '';
  if (set === 'touched') return ', revision = h.revision + 1';
  if (set === 'decided') return ', revision = h.revision + 1, pending_approvals = h.pending_approvals - 1';
  const assignments = STATE_COLUMNS.map(([column, field, type]) => {
    const value = bind(({ guard }) => {
      const update = guard?.set;
      return typeof update === 'object' && update ? update[field] : null;
    }, type);
    return `${column} = ${value}`;
  });
  return `, revision = h.revision + 1, updated_at = greatest(h.last_at, ${at}), ${assignments.join(', ')}`;
}

function resultPart(batch: Batch, channel: number): string {
  const pins = batch.pin ? '(SELECT count(*) FROM pin)' : '1';
  if (!batch.guard) return `SELECT ${pins} AS pins, 1 AS applied`;
  const notify = notifies(batch)
    ? `, (SELECT pg_notify($${channel}::text, '') FROM head WHERE watched_until > {now}) AS notified`
    : '';
  return `SELECT ${pins} AS pins, (SELECT count(*) FROM head) AS applied, l.*, {now} AS now, h.new_cursor, h.at${notify}
    FROM (SELECT 1) AS one LEFT JOIN locked l ON true LEFT JOIN head h ON true`;
}

export function readOutcome(row: Row | undefined, batch: Batch): BatchOutcome {
  const pinHeld = Number(row?.pins) > 0;
  const applied = pinHeld && Number(row?.applied) > 0;
  const outcome: BatchOutcome = {
    applied,
    pinHeld,
    cursor: Number(row?.new_cursor ?? 0),
    at: Number(row?.at ?? batch.guard?.at ?? 0),
  };
  if (batch.guard && row && row.revision !== null && row.revision !== undefined) {
    outcome.head = {
      revision: Number(row.revision),
      version: Number(row.version),
      messageCount: Number(row.message_count),
      leaseToken: Number(row.lease_token),
      leaseHolder: row.lease_holder_id === null ? null : String(row.lease_holder_id),
      leaseExpiresAt: row.lease_expires_at === null ? null : Number(row.lease_expires_at),
      now: Number(row.now),
    };
  }
  return outcome;
}
