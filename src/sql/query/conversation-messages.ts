import type { MessageQuery } from '../../store/validate-filter.ts';
import type { SqlContext } from '../context.ts';
import type { Dialect } from '../dialect.ts';
import type { AgentKeys } from '../directory.ts';
import type { Row } from '../driver.ts';
import { chainOf, EVERYTHING, readOfAgent, type Window } from './chain.ts';
import { walkConversation } from './conversation-walk.ts';
import { isUnfiltered, messageArms } from './message-keys.ts';
import { lookUp, orderBy, selectFirst } from './ordered-keys.ts';
import { Params, type Query } from './params.ts';
import { sortRows } from './rows.ts';

/**
 * Rows (seq, created_at, payload) of one agent's conversation in order, with what it inherited; undefined
 * when there is no such agent. PostgreSQL answers in one statement and so in one round trip; SQLite, where
 * statements cost little, walks the chain of branches until the limit is met.
 */
export async function readConversation(
  context: SqlContext,
  keys: AgentKeys,
  query: MessageQuery,
  window: Window = EVERYTHING,
): Promise<Row[] | undefined> {
  const { driver } = context;
  const rows =
    driver.dialect.name === 'sqlite'
      ? await driver.snapshot(() => walkConversation(driver.dialect, keys, query, window))
      : await readOfAgent(context, keys, planConversation(driver.dialect, keys, query, window));
  return rows && sortRows(rows, ['seq'], query.order);
}

function planConversation(dialect: Dialect, keys: AgentKeys, query: MessageQuery, window: Window): Query {
  const plan = isUnfiltered(query) ? planPositions : planMatches;
  return plan(dialect, keys, query, window);
}

function planPositions(dialect: Dialect, keys: AgentKeys, query: MessageQuery, window: Window): Query {
  const params = new Params();
  const tree = params.bind(keys.tree);
  const chain = chainOf('messages', tree, params.bind(keys.agent));
  const offset = params.bind(query.offset);
  const length = params.bind(query.limit);
  let from: string;
  let to: string;
  if (query.order === 'asc') {
    from = `${params.bind(window.from)}::bigint + ${offset}::bigint`;
    to = `${from} + ${length}::bigint`;
  } else {
    to = `least(c.total, ${params.bind(window.to)}::bigint) - ${offset}::bigint`;
    from = `${to} - ${length}::bigint`;
  }
  return params.query(
    'query_conversation',
    `WITH RECURSIVE ${chain}
     SELECT m.seq, m.created_at, m.payload FROM chain AS c ${lookUp(
       dialect,
       'messages',
       'm',
       `m.tree = ${tree} AND m.branch = c.branch
         AND m.seq >= greatest(c.lo, ${from}) AND m.seq < least(c.hi, ${to})`,
     )}`,
  );
}

/**
 * Each branch's part is bounded by the instants of its first and last message: then its end can be found in
 * the indexes, which are ordered by instant, and what others wrote on the branch later isn't read.
 */
function planMatches(dialect: Dialect, keys: AgentKeys, query: MessageQuery, window: Window): Query {
  const params = new Params();
  const tree = params.bind(keys.tree);
  const chain = chainOf('messages', tree, params.bind(keys.agent));
  const from = params.bind(window.from);
  const to = params.bind(window.to);
  const conditions = [
    `tree = ${tree}`,
    'branch = p.branch',
    '(created_at, seq) >= (p.first_at, p.lo)',
    '(created_at, seq) < (p.last_at, p.hi)',
  ];
  if (query.createdAfter !== undefined) conditions.push(`created_at >= ${params.bind(query.createdAfter)}`);
  if (query.createdBefore !== undefined) conditions.push(`created_at < ${params.bind(query.createdBefore)}`);
  const count = query.limit + query.offset;
  const keysOfPart = selectFirst(
    {
      table: 'messages',
      columns: ['created_at', 'seq'],
      arms: messageArms('branch_messages', query, conditions),
      overlapping: query.contentType === undefined,
      order: query.order,
    },
    count,
  );
  const sorted = orderBy(['seq'], query.order);
  const messageAt = (alias: string, branch: string, seq: string) =>
    lookUp(
      dialect,
      'messages',
      alias,
      `${alias}.tree = ${tree} AND ${alias}.branch = ${branch} AND ${alias}.seq = ${seq}`,
    );
  return params.query(
    'query_conversation',
    `WITH RECURSIVE ${chain},
     part AS (
       SELECT c.branch, greatest(c.lo, ${from}) AS lo, least(c.hi, ${to}) AS hi FROM chain AS c),
     bounded AS (
       SELECT p.branch, p.lo, p.hi, first.created_at AS first_at, last.created_at AS last_at FROM part AS p
         ${messageAt('first', 'p.branch', 'p.lo')} ${messageAt('last', 'p.branch', 'p.hi - 1')})
     SELECT m.seq, m.created_at, m.payload
     FROM (SELECT p.branch, matches.seq FROM bounded AS p CROSS JOIN LATERAL (${keysOfPart}) AS matches
           ${sorted} LIMIT ${params.bind(query.limit)} OFFSET ${params.bind(query.offset)}) AS k
       ${messageAt('m', 'k.branch', 'k.seq')}`,
  );
}
