import { appendAll } from '../../model/lists.ts';
import type { ToolCallQuery } from '../../store/validate-filter.ts';
import type { Segment } from '../chain.ts';
import { number } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import { findConversation } from '../conversation.ts';
import type { Lookup } from '../lookup.ts';
import type { Dialect } from '../port/dialect.ts';
import { run, type Script } from '../port/driver.ts';
import { firstKeys, type KeyRanges, orderBy, type Range } from '../port/key-ranges.ts';
import { statementOfArrays, statementOfValues } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import type { IndexName } from '../schema/indexes.ts';
import { chainOf, EVERYTHING, type Window } from './chain.ts';
import { readOfAgent } from './of-agent.ts';
import { ask, Params, type Query } from './params.ts';
import { sortRows } from './rows.ts';
import { callConditions, RECORD } from './tool-call-keys.ts';

/**
 * Rows of one agent's tool calls in order, with what it inherited; undefined when there is no such agent.
 * Where a nearer branch of its chain has a row for a call, that one stands for it.
 */
export async function readConversationCalls(
  context: SqlContext,
  lookup: Lookup,
  query: ToolCallQuery,
  window: Window = EVERYTHING,
): Promise<SqlValue[][] | undefined> {
  const { driver } = context;
  const rows = driver.dialect.readsAtOnce
    ? await readOfAgent(context, lookup, planCalls(driver.dialect, lookup, query, window))
    : await driver.snapshot(() => walkCalls(driver.dialect, lookup, query, window));
  return rows && sortRows(rows, [0], query.order);
}

function selectKeys(range: Range, { order }: ToolCallQuery): KeyRanges {
  return { table: 'tool_calls', columns: ['call_seq'], ranges: [range], overlapping: false, order };
}

/** The calls of a branch that match. */
function callsOf(branch: string, tree: string, query: ToolCallQuery, window: Window, params: Params): Range {
  const where = [
    `tree = ${tree}`,
    `branch = ${branch}`,
    `call_seq >= ${params.bind(window.from)}`,
    `call_seq < ${params.bind(window.to)}`,
    ...callConditions(query, params),
  ];
  if (query.createdAfter !== undefined) where.push(`created_at >= ${params.bind(query.createdAfter)}`);
  if (query.createdBefore !== undefined) where.push(`created_at < ${params.bind(query.createdBefore)}`);
  let index: IndexName = 'branch_calls';
  if (query.isError) index = 'branch_calls_failed';
  else if (query.hasApproval) index = 'branch_calls_with_approval';
  else if (query.state === 'approval_required') {
    index = 'branch_calls_with_approval';
    where.push('approval_required = 1');
  }
  return { index, where };
}

function planCalls(dialect: Dialect, lookup: Lookup, query: ToolCallQuery, window: Window): Query {
  const params = new Params();
  const chain = chainOf(lookup, params);
  const { index, where } = callsOf('c.branch', 'c.tree', query, window, params);
  const own = 'own.tree = r.tree AND own.branch = n.branch AND own.call_seq = r.call_seq';
  const nearest = [
    ...where,
    'call_seq < c.call_hi',
    `NOT EXISTS (
       SELECT 1 FROM chain AS n ${dialect.joinByKey('tool_calls', 'own', own)} WHERE n.depth < c.depth)`,
  ];
  const ofBranch = firstKeys(selectKeys({ index, where: nearest }, query), query.limit + query.offset);
  const page = `LIMIT ${params.bind(query.limit)} OFFSET ${params.bind(query.offset)}`;
  return params.query(
    'query_conversation_calls',
    `WITH RECURSIVE ${chain}
     SELECT ${RECORD} FROM (SELECT c.tree, c.branch, matches.call_seq FROM chain AS c CROSS JOIN LATERAL (${ofBranch}) AS matches
       ${orderBy(['matches.call_seq'], query.order)} ${page}) AS k
     ${dialect.joinByKey('tool_calls', 't', `t.tree = k.tree AND t.branch = k.branch AND t.call_seq = k.call_seq`)}`,
  );
}

const OWN_COPIES = statementOfValues(
  'own_copies',
  'SELECT call_seq FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq < $3',
);
const FETCH = statementOfArrays(
  'fetch_calls',
  `SELECT ${RECORD} FROM {tool_calls} AS t
   WHERE tree = $1 AND branch = $2 AND call_seq IN (SELECT value FROM json_each($3))`,
);

function* walkCalls(
  dialect: Dialect,
  lookup: Lookup,
  query: ToolCallQuery,
  window: Window,
): Script<SqlValue[][] | undefined> {
  const state = yield* findConversation(lookup);
  if (!state) return undefined;
  const { keys } = state;
  const [own] = state.chain;
  if (own && state.chain.length === 1) return yield* pageOfBranch(dialect, keys.tree, own, query, window);
  const wanted = query.limit + query.offset;
  const found: { branch: number; callSeq: number }[] = [];
  const replaced = new Set<number>();
  for (const { branch, callLo, callHi, parent } of state.chain) {
    const share = { from: window.from, to: Math.min(window.to, callHi) };
    const params = new Params();
    const calls = callsOf(params.bind(branch), params.bind(keys.tree), query, share, params);
    const page = { limit: wanted + replaced.size, offset: 0 };
    const text = dialect.pageOfKeys(selectKeys(calls, query), page, params.bind);
    for (const row of yield* ask(params.query('find_calls', text))) {
      const callSeq = number(row[0]);
      if (!replaced.has(callSeq)) found.push({ branch, callSeq });
    }
    if (parent === null) break;
    const complete = query.order === 'desc' ? found.filter(({ callSeq }) => callSeq >= callLo).length : 0;
    if (complete >= wanted) break;
    const copies = yield* run(OWN_COPIES, [keys.tree, branch, callLo]);
    for (const callSeq of copies) replaced.add(number(callSeq));
  }
  const sign = query.order === 'asc' ? 1 : -1;
  found.sort((one, other) => sign * (one.callSeq - other.callSeq));
  return yield* fetchCalls(keys.tree, found.slice(query.offset, wanted));
}

/** Most agents have one branch: nothing is to be merged then. */
function* pageOfBranch(
  dialect: Dialect,
  tree: number,
  { branch, callHi }: Segment,
  query: ToolCallQuery,
  window: Window,
): Script<SqlValue[][]> {
  const params = new Params();
  const share = { from: window.from, to: Math.min(window.to, callHi) };
  const [atBranch, inTree] = [params.bind(branch), params.bind(tree)];
  const calls = callsOf(atBranch, inTree, query, share, params);
  const rows = dialect.rowsOfPage(selectKeys(calls, query), query, params.bind, {
    alias: 't',
    key: `t.tree = ${inTree} AND t.branch = ${atBranch} AND t.call_seq = k.call_seq`,
  });
  const text = `SELECT ${RECORD} FROM ${rows}`;
  return yield* ask(params.query('page_of_calls', text));
}

function* fetchCalls(
  tree: number,
  calls: readonly { branch: number; callSeq: number }[],
): Script<SqlValue[][]> {
  const byBranch = new Map<number, number[]>();
  for (const { branch, callSeq } of calls) {
    const seqs = byBranch.get(branch);
    if (seqs) seqs.push(callSeq);
    else byBranch.set(branch, [callSeq]);
  }
  const rows: SqlValue[][] = [];
  for (const [branch, seqs] of byBranch)
    appendAll(rows, yield* run(FETCH, [tree, branch, JSON.stringify(seqs)]));
  return rows;
}
