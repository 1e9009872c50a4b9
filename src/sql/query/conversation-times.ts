import type { MessageQuery } from '../../store/validate-filter.ts';
import type { Lookup } from '../lookup.ts';
import type { Dialect } from '../port/dialect.ts';
import { chainOf, type Window } from './chain.ts';
import { Params, type Query } from './params.ts';

/** At once: the message at a position of the branch that a row of `at` names. */
export function messageAt(dialect: Dialect, alias: string, at: string, seq: string): string {
  return dialect.joinByKey(
    'messages',
    alias,
    `${alias}.tree = ${at}.tree AND ${alias}.branch = ${at}.branch AND ${alias}.seq = ${seq}`,
  );
}

/** At once: each branch's part [lo, hi) with the instants of its first and last message, as `bounded`. */
export function boundedParts(dialect: Dialect, from: string, to: string): string {
  return `part AS (
      SELECT c.tree, c.branch, greatest(c.lo, ${from}) AS lo, least(c.hi, ${to}) AS hi FROM chain AS c WHERE c.lo < c.hi),
    bounded AS (
      SELECT p.tree, p.branch, p.lo, p.hi, first.created_at AS first_at, last.created_at AS last_at FROM part AS p
        ${messageAt(dialect, 'first', 'p', 'p.lo')} ${messageAt(dialect, 'last', 'p', 'p.hi - 1')})`;
}

/**
 * At once: messages of a range of instants. These rise with the position, so a binary search finds where
 * the range begins and ends, for all branches side by side; the rest is a page of positions.
 */
export function planTimeRange(dialect: Dialect, lookup: Lookup, query: MessageQuery, window: Window): Query {
  const params = new Params();
  const chain = chainOf(lookup, params);
  const parts = boundedParts(dialect, params.bind(window.from), params.bind(window.to));
  const begin = params.bind(query.createdAfter ?? Number.MIN_SAFE_INTEGER);
  const end = params.bind(query.createdBefore ?? Number.MAX_SAFE_INTEGER);
  const offset = `${params.bind(query.offset)}::bigint`;
  const upTo = `(${offset} + ${params.bind(query.limit)}::bigint)`;
  const isAscending = query.order === 'asc';
  const from = isAscending ? `s.lo + ${offset} - s.before` : `s.hi - ${upTo} + s.before`;
  const to = isAscending ? `s.lo + ${upTo} - s.before` : `s.hi - ${offset} + s.before`;
  return params.query(
    'query_conversation_by_time',
    `WITH RECURSIVE ${chain}, ${parts},
     search AS (
       SELECT p.tree, p.branch, e.edge, e.instant, CASE WHEN p.last_at < e.instant THEN p.hi ELSE p.lo END AS lo,
         CASE WHEN p.first_at >= e.instant THEN p.lo ELSE p.hi END AS hi
       FROM bounded AS p CROSS JOIN (VALUES (0, ${begin}::bigint), (1, ${end}::bigint)) AS e (edge, instant)
       UNION ALL
       SELECT q.tree, q.branch, q.edge, q.instant, CASE WHEN m.created_at < q.instant THEN q.middle + 1 ELSE q.lo END,
         CASE WHEN m.created_at < q.instant THEN q.hi ELSE q.middle END
       FROM (SELECT *, (lo + hi) / 2 AS middle FROM search WHERE lo < hi) AS q
         ${messageAt(dialect, 'm', 'q', 'q.middle')}),
     found AS (
       SELECT b.tree, b.branch, b.lo,
         (SELECT e.lo FROM search AS e WHERE e.branch = b.branch AND e.edge = 1 AND e.lo = e.hi) AS hi
       FROM search AS b WHERE b.edge = 0 AND b.lo = b.hi),
     slice AS (
       SELECT tree, branch, lo, hi,
         (SELECT coalesce(sum(o.hi - o.lo), 0)::bigint FROM found AS o
          WHERE o.lo < o.hi AND o.lo ${isAscending ? '<' : '>'} f.lo) AS before
       FROM found AS f WHERE lo < hi)
     SELECT m.seq, m.created_at, m.payload FROM slice AS s ${dialect.joinByKey(
       'messages',
       'm',
       `m.tree = s.tree AND m.branch = s.branch
         AND m.seq >= greatest(s.lo, ${from}) AND m.seq < least(s.hi, ${to})`,
     )}`,
  );
}
