import {
  type Batch,
  type BatchOutcome,
  columnsOf,
  type HeadGuard,
  type HeadUpdate,
  type Op,
  type Pin,
} from '../sql/batch.ts';
import type { Row, SqlParam, SqlValue } from '../sql/driver.ts';
import { type ColumnKind, table } from '../sql/schema/tables.ts';
import { composed, type Statement } from '../sql/statement.ts';
import { ABSENT_TABLE } from './dialect.ts';

/**
 * A batch as one statement: the pin, the lock on the head, the conditions on the locked row, the head's
 * update, and the rows, chained as common table expressions so that each depends on the one before.
 *
 * The conditions look at the row that FOR UPDATE returned, and they read the clock after the lock was
 * got: a condition in the UPDATE itself would be evaluated before the wait, and not again if the other
 * transaction rolled back.
 */
export function renderBatch(batch: Batch, channel: string): { statement: Statement; params: SqlParam[] } {
  const params: SqlParam[] = [];
  const bind = (value: SqlParam, type: string) => {
    params.push(value);
    return `$${params.length}::${type}`;
  };
  const parts: string[] = [];
  if (batch.pin) parts.push(pinPart(batch.pin, bind));
  if (batch.guard) parts.push(...guardParts(batch.guard, batch.pin !== undefined, bind));
  const source = batch.guard ? 'head, ' : batch.pin ? 'pin, ' : '';
  batch.ops.forEach((op, i) => {
    if (op.rows.length > 0 && op.table !== ABSENT_TABLE)
      parts.push(`op${i} AS (${opPart(op, source, batch.guard, bind)})`);
  });
  const text = `WITH ${parts.join(',\n')}\n${resultPart(batch, channel, bind)}`;
  return { statement: composed('batch', text), params };
}

type Bind = (value: SqlParam, type: string) => string;

const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

function pinPart(pin: Pin, bind: Bind): string {
  return `pin AS (UPDATE {branches} SET pinned = greatest(pinned, ${bind(pin.position, 'bigint')})
    WHERE tree = ${bind(pin.tree, 'bigint')} AND branch = ${bind(pin.branch, 'bigint')}
      AND epoch = ${bind(pin.epoch, 'bigint')} RETURNING 1 AS held)`;
}

function guardParts(guard: HeadGuard, pinned: boolean, bind: Bind): string[] {
  const tree = bind(guard.tree, 'bigint');
  const agent = bind(guard.agent, 'bigint');
  const revision = bind(guard.revision, 'bigint');
  const version = bind(guard.expectedVersion, 'bigint');
  const holder = bind(guard.lease?.holderId ?? null, 'text');
  const token = bind(guard.lease?.token ?? null, 'bigint');
  const needsLease = bind(guard.needsLease ? 1 : 0, 'int');
  const locked = `locked AS MATERIALIZED (
    SELECT h.revision, h.version, h.message_count, h.cursor, h.last_at, h.lease_token, h.lease_holder, h.lease_expires_at
    FROM {heads} h${pinned ? ', pin' : ''} WHERE h.tree = ${tree} AND h.agent = ${agent} FOR NO KEY UPDATE OF h)`;
  const allowed = `allowed AS MATERIALIZED (
    SELECT cursor, last_at FROM locked
    WHERE (${revision} IS NULL OR revision = ${revision}) AND (${version} IS NULL OR version = ${version})
      AND CASE WHEN ${holder} IS NULL
        THEN ${needsLease} = 0 OR lease_holder IS NULL OR lease_expires_at <= ${NOW}
        ELSE lease_holder = ${holder} AND lease_token = ${token} AND lease_expires_at > ${NOW} END)`;
  const at = bind(guard.at, 'bigint');
  const events = bind(guard.events, 'bigint');
  const head = `head AS (
    UPDATE {heads} h SET cursor = h.cursor + ${events}, last_at = greatest(h.last_at, ${at})${stateColumns(guard.set, at, bind)}
    FROM allowed WHERE h.tree = ${tree} AND h.agent = ${agent}
    RETURNING allowed.last_at AS floor_at, h.cursor - ${events} + 1 AS first_cursor, h.cursor AS new_cursor,
      h.last_at AS at, h.watched_until)`;
  return [locked, allowed, head];
}

function stateColumns(set: HeadUpdate | null, at: string, bind: Bind): string {
  if (!set) return '';
  const columns: [string, SqlValue, string][] = [
    ['branch', set.branch, 'bigint'],
    ['version', set.version, 'bigint'],
    ['message_count', set.messageCount, 'bigint'],
    ['call_count', set.callCount, 'bigint'],
    ['unlinked_calls', set.unlinkedCalls, 'bigint'],
    ['pending_approvals', set.pendingApprovals, 'bigint'],
    ['usage_count', set.usageCount, 'bigint'],
    ['status', set.status, 'smallint'],
    ['last_sfp_index', set.lastSfpIndex, 'bigint'],
    ['bookmark_seq', set.bookmarkSeq, 'bigint'],
    ['bookmark_at', set.bookmarkAt, 'bigint'],
    ['breakpoint', set.breakpoint, 'text'],
  ];
  const assignments = columns.map(([column, value, type]) => `${column} = ${bind(value, type)}`);
  return `, revision = h.revision + 1, updated_at = greatest(h.last_at, ${at}), ${assignments.join(', ')}`;
}

const ARRAY_TYPES: Record<ColumnKind, string> = {
  key: 'bigint[]',
  int: 'bigint[]',
  small: 'smallint[]',
  real: 'double precision[]',
  instant: 'bigint[]',
  stamp: 'bigint[]',
  cursor: 'bigint[]',
  text: 'text[]',
  name: 'text[]',
  jsonb: 'text[]',
};

function opPart(op: Op, source: string, guard: HeadGuard | undefined, bind: Bind): string {
  const definition = table(op.table);
  const columns = columnsOf(op);
  const kindOf = (column: string): ColumnKind => definition.columns[column] ?? 'text';
  const arrays = columns.map((column, i) =>
    bind(
      op.rows.map((row) => row[i] ?? null),
      ARRAY_TYPES[kindOf(column)],
    ),
  );
  const rows = `${source}unnest(${arrays.join(', ')}) AS u(${columns.join(', ')})`;
  const value = (column: string) => finished(column, kindOf(column), guard);
  const key = definition.key;
  const rest = columns.filter((column) => !key.includes(column));
  switch (op.kind) {
    case 'insert':
    case 'upsert': {
      const conflict =
        op.kind === 'insert'
          ? ''
          : ` ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${rest
              .filter((column) => !op.keep?.includes(column))
              .map((column) => `${column} = excluded.${column}`)
              .join(', ')}`;
      return `INSERT INTO {${op.table}} (${columns.join(', ')}) SELECT ${columns.map(value).join(', ')} FROM ${rows}${conflict}`;
    }
    case 'update': {
      const set = rest.map((column) =>
        op.keep.includes(column)
          ? `${column} = coalesce(${value(column)}, t.${column})`
          : `${column} = ${value(column)}`,
      );
      return `UPDATE {${op.table}} t SET ${set.join(', ')} FROM ${rows} WHERE ${key.map((column) => `t.${column} = u.${column}`).join(' AND ')}`;
    }
    case 'remove':
      return `DELETE FROM {${op.table}} t USING ${rows} WHERE ${columns.map((column) => `t.${column} = u.${column}`).join(' AND ')}`;
  }
}

/** Completes stamps and cursors from the head's row: see `ColumnKind`. */
function finished(column: string, kind: ColumnKind, guard: HeadGuard | undefined): string {
  if (kind === 'jsonb') return `u.${column}::jsonb`;
  if (!guard) return `u.${column}`;
  if (kind === 'stamp') return `greatest(u.${column}, head.floor_at)`;
  if (kind === 'cursor') return `head.first_cursor + u.${column}`;
  return `u.${column}`;
}

function resultPart(batch: Batch, channel: string, bind: Bind): string {
  const pins = batch.pin ? '(SELECT count(*) FROM pin)' : '1';
  if (!batch.guard) return `SELECT ${pins} AS pins, 1 AS applied`;
  const notify =
    batch.guard.events > 0
      ? `, (SELECT pg_notify(${bind(channel, 'text')}, '') FROM head WHERE watched_until > ${NOW}) AS notified`
      : '';
  return `SELECT ${pins} AS pins, (SELECT count(*) FROM head) AS applied, l.*, ${NOW} AS now, h.new_cursor, h.at${notify}
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
      leaseHolder: row.lease_holder === null ? null : String(row.lease_holder),
      leaseExpiresAt: row.lease_expires_at === null ? null : Number(row.lease_expires_at),
      now: Number(row.now),
    };
  }
  return outcome;
}
