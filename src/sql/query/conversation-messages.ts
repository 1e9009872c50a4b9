import type { MessageQuery } from '../../store/validate-filter.ts';
import type { SqlContext } from '../context.ts';
import type { Lookup } from '../lookup.ts';
import type { Dialect } from '../port/dialect.ts';
import { firstKeys, orderBy } from '../port/key-ranges.ts';
import type { SqlValue } from '../port/values.ts';
import { chainOf, EVERYTHING, type Window } from './chain.ts';
import { boundedParts, messageAt, planTimeRange } from './conversation-times.ts';
import { walkConversation } from './conversation-walk.ts';
import { branchRanges, isByTime, isUnfiltered } from './message-keys.ts';
import { readOfAgent } from './of-agent.ts';
import { Params, type Query } from './params.ts';
import { sortRows } from './rows.ts';

/**
 * Rows (seq, created_at, payload) of one agent's conversation in order, with what it inherited; undefined
 * when there is no such agent. One statement answers where each is a round trip; where statements cost little, the
 * chain of branches is walked until the limit is met.
 */
export async function readConversation(
  context: SqlContext,
  lookup: Lookup,
  query: MessageQuery,
  window: Window = EVERYTHING,
): Promise<SqlValue[][] | undefined> {
  const { driver } = context;
  const rows = driver.dialect.readsAtOnce
    ? await readOfAgent(context, lookup, planConversation(driver.dialect, lookup, query, window))
    : await driver.snapshot(() => walkConversation(driver.dialect, lookup, query, window));
  return rows && sortRows(rows, [0], query.order);
}

function planConversation(dialect: Dialect, lookup: Lookup, query: MessageQuery, window: Window): Query {
  if (isUnfiltered(query)) return planPositions(dialect, lookup, query, window);
  return isByTime(query)
    ? planTimeRange(dialect, lookup, query, window)
    : planMatches(dialect, lookup, query, window);
}

function planPositions(dialect: Dialect, lookup: Lookup, query: MessageQuery, window: Window): Query {
  const params = new Params();
  const chain = chainOf(lookup, params);
  const offset = params.bind(query.offset);
  const length = params.bind(query.limit);
  let from: string;
  let to: string;
  if (query.order === 'asc') {
    from = `${params.bind(window.from)}::bigint + ${offset}::bigint`;
    to = `${from} + ${length}::bigint`;
  } else {
    to = `least(c.message_count, ${params.bind(window.to)}::bigint) - ${offset}::bigint`;
    from = `${to} - ${length}::bigint`;
  }
  return params.query(
    'query_conversation',
    `WITH RECURSIVE ${chain}
     SELECT m.seq, m.created_at, m.payload FROM chain AS c ${dialect.joinByKey(
       'messages',
       'm',
       `m.tree = c.tree AND m.branch = c.branch
         AND m.seq >= greatest(c.lo, ${from}) AND m.seq < least(c.hi, ${to})`,
     )}`,
  );
}

/**
 * The ends of each branch's part can be found in the indexes, which are ordered by instant: what others wrote
 * on the branch later isn't read.
 */
function planMatches(dialect: Dialect, lookup: Lookup, query: MessageQuery, window: Window): Query {
  const params = new Params();
  const chain = chainOf(lookup, params);
  const from = params.bind(window.from);
  const to = params.bind(window.to);
  const conditions = [
    'tree = p.tree',
    'branch = p.branch',
    '(created_at, seq) >= (p.first_at, p.lo)',
    '(created_at, seq) < (p.last_at, p.hi)',
  ];
  if (query.createdAfter !== undefined) conditions.push(`created_at >= ${params.bind(query.createdAfter)}`);
  if (query.createdBefore !== undefined) conditions.push(`created_at < ${params.bind(query.createdBefore)}`);
  const count = query.limit + query.offset;
  const keysOfPart = firstKeys(
    {
      table: 'messages',
      columns: ['created_at', 'seq'],
      ...branchRanges(dialect, query, conditions),
      order: query.order,
    },
    count,
  );
  const sorted = orderBy(['seq'], query.order);
  return params.query(
    'query_conversation',
    `WITH RECURSIVE ${chain}, ${boundedParts(dialect, from, to)}
     SELECT m.seq, m.created_at, m.payload
     FROM (SELECT p.tree, p.branch, matches.seq FROM bounded AS p CROSS JOIN LATERAL (${keysOfPart}) AS matches
           ${sorted} LIMIT ${params.bind(query.limit)} OFFSET ${params.bind(query.offset)}) AS k
       ${messageAt(dialect, 'm', 'k', 'k.seq')}`,
  );
}
