import { appendAll } from '../../model/lists.ts';
import type { MessageQuery } from '../../store/validate-filter.ts';
import { number } from '../codec.ts';
import { type Conversation, findConversation } from '../conversation.ts';
import type { Lookup } from '../lookup.ts';
import type { Dialect } from '../port/dialect.ts';
import { run, type Script } from '../port/driver.ts';
import type { KeyRanges } from '../port/key-ranges.ts';
import { statementOfArrays, statementOfValues } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { compare } from './bounds.ts';
import type { Window } from './chain.ts';
import { branchRanges, isByTime, isUnfiltered } from './message-keys.ts';
import { ask, Params, type Query } from './params.ts';

/** A page of a conversation, branch by branch; see `readConversation`. */
export function* walkConversation(
  dialect: Dialect,
  lookup: Lookup,
  query: MessageQuery,
  window: Window,
): Script<SqlValue[][] | undefined> {
  const state = yield* findConversation(lookup);
  if (!state) return undefined;
  if (isUnfiltered(query)) return yield* readPositions(state, query, window);
  if (isByTime(query)) return yield* readTimeRange(state, query, window);
  return yield* readMatches(dialect, state, query, window);
}

/** The part [lo, hi) of a branch, and whether the branch has messages on either side of it. */
interface Part {
  tree: number;
  branch: number;
  lo: number;
  hi: number;
  cutBelow: boolean;
  cutAbove: boolean;
}

/** In the order of the query. */
function partsOf({ chain, keys }: Conversation, window: Window, order: MessageQuery['order']): Part[] {
  const parts = chain.map(({ branch, lo, hi }, depth): Part => {
    return {
      tree: keys.tree,
      branch,
      lo: Math.max(lo, window.from),
      hi: Math.min(hi, window.to),
      cutBelow: window.from > lo,
      cutAbove: depth > 0 || window.to < hi,
    };
  });
  if (order === 'asc') parts.reverse();
  return parts.filter((part) => part.lo < part.hi);
}

const POSITIONS = statementOfArrays(
  'read_positions',
  `SELECT seq, created_at, payload FROM {messages}
   WHERE tree = $1 AND branch = $2 AND seq >= $3 AND seq < $4`,
);

function* readPositions(state: Conversation, query: MessageQuery, window: Window): Script<SqlValue[][]> {
  const { order, limit, offset } = query;
  const end = Math.min(window.to, state.head.messageCount);
  const from = order === 'asc' ? window.from + offset : end - offset - limit;
  const page = { from: Math.max(window.from, from), to: Math.min(end, from + limit) };
  const rows: SqlValue[][] = [];
  for (const { tree, branch, lo, hi } of partsOf(state, page, order)) {
    appendAll(rows, yield* run(POSITIONS, [tree, branch, lo, hi]));
  }
  return rows;
}

/** Instants rise with the position, so a binary search finds where a range of them begins and ends. */
function* readTimeRange(state: Conversation, query: MessageQuery, window: Window): Script<SqlValue[][]> {
  const { createdAfter, createdBefore, order } = query;
  const rows: SqlValue[][] = [];
  let toSkip = query.offset;
  for (const part of partsOf(state, window, order)) {
    const lo = createdAfter === undefined ? part.lo : yield* firstSince(part, createdAfter);
    const hi = createdBefore === undefined ? part.hi : yield* firstSince(part, createdBefore);
    const left = query.limit - rows.length;
    const [from, to] =
      order === 'asc' ? [lo + toSkip, lo + toSkip + left] : [hi - toSkip - left, hi - toSkip];
    toSkip = Math.max(0, toSkip - Math.max(0, hi - lo));
    const [begin, end] = [Math.max(lo, from), Math.min(hi, to)];
    if (begin < end) appendAll(rows, yield* run(POSITIONS, [part.tree, part.branch, begin, end]));
    if (rows.length >= query.limit) break;
  }
  return rows;
}

/** The first position of a part from which on its messages are no older than the instant. */
function* firstSince({ tree, branch, lo, hi }: Part, instant: number): Script<number> {
  const isOlder = function* (seq: number): Script<boolean> {
    const [createdAt] = yield* run(INSTANT, [tree, branch, seq]);
    return createdAt !== undefined && number(createdAt) < instant;
  };
  // Most ranges leave nothing out on one side.
  if (!(yield* isOlder(lo))) return lo;
  if (yield* isOlder(hi - 1)) return hi;
  let [older, since] = [lo, hi - 1];
  while (since - older > 1) {
    const middle = Math.floor((older + since) / 2);
    if (yield* isOlder(middle)) older = middle;
    else since = middle;
  }
  return since;
}

function* readMatches(
  dialect: Dialect,
  state: Conversation,
  query: MessageQuery,
  window: Window,
): Script<SqlValue[][]> {
  const rows: SqlValue[][] = [];
  let toSkip = query.offset;
  for (const part of partsOf(state, window, query.order)) {
    const edges = yield* readEdges(part);
    if (toSkip > 0) {
      const count = countMatches(dialect, part, edges, query, toSkip);
      const [found] = yield* ask(count);
      const skipped = number(found?.[0]);
      if (skipped < toSkip) {
        toSkip -= skipped;
        continue;
      }
    }
    const page = { limit: query.limit - rows.length, offset: toSkip };
    const matches = selectMatches(dialect, part, edges, query, page);
    appendAll(rows, yield* ask(matches));
    if (rows.length >= query.limit) break;
    toSkip = 0;
  }
  return rows;
}

const INSTANT = statementOfValues(
  'message_instant',
  'SELECT created_at FROM {messages} WHERE tree = $1 AND branch = $2 AND seq = $3',
);

/** The places in a text of a part's keys. */
interface Place {
  tree: string;
  branch: string;
}

function placeOf({ tree, branch }: Part, params: Params): Place {
  return { tree: params.bind(tree), branch: params.bind(branch) };
}

/** The instants at a part's ends, where the branch goes on beyond them. */
interface Edges {
  first: number | undefined;
  last: number | undefined;
}

/** Instants rise with seq, so a part's ends can be found in the indexes, which are ordered by instant. */
function* readEdges({ tree, branch, lo, hi, cutBelow, cutAbove }: Part): Script<Edges> {
  const [first] = cutBelow ? yield* run(INSTANT, [tree, branch, lo]) : [];
  const [last] = cutAbove ? yield* run(INSTANT, [tree, branch, hi - 1]) : [];
  return {
    first: first === undefined ? undefined : number(first),
    last: last === undefined ? undefined : number(last),
  };
}

const KEY = ['created_at', 'seq'];

function matchesIn(
  dialect: Dialect,
  part: Part,
  place: Place,
  edges: Edges,
  query: MessageQuery,
  params: Params,
): KeyRanges {
  const conditions = [`tree = ${place.tree}`, `branch = ${place.branch}`];
  const { createdAfter = Number.NEGATIVE_INFINITY, createdBefore = Number.POSITIVE_INFINITY } = query;
  // An index is entered by one bound on each side of a range: the narrower one.
  if (edges.first !== undefined && edges.first >= createdAfter) {
    conditions.push(compare(KEY, '>=', [edges.first, part.lo], params));
  } else if (query.createdAfter !== undefined) {
    conditions.push(`created_at >= ${params.bind(createdAfter)}`);
  }
  if (edges.last !== undefined && edges.last < createdBefore) {
    conditions.push(compare(KEY, '<', [edges.last, part.hi], params));
  } else if (query.createdBefore !== undefined) {
    conditions.push(`created_at < ${params.bind(createdBefore)}`);
  }
  return {
    table: 'messages',
    columns: KEY,
    ...branchRanges(dialect, query, conditions),
    order: query.order,
  };
}

function selectMatches(
  dialect: Dialect,
  part: Part,
  edges: Edges,
  query: MessageQuery,
  page: { limit: number; offset: number },
): Query {
  const params = new Params();
  const place = placeOf(part, params);
  const rows = dialect.rowsOfPage(matchesIn(dialect, part, place, edges, query, params), page, params.bind, {
    alias: 'm',
    key: `m.tree = ${place.tree} AND m.branch = ${place.branch} AND m.seq = k.seq`,
  });
  return params.query('read_matches', `SELECT m.seq, m.created_at, m.payload FROM ${rows}`);
}

/** How many matches a part has, counted up to `most`. */
function countMatches(dialect: Dialect, part: Part, edges: Edges, query: MessageQuery, most: number): Query {
  const params = new Params();
  const page = { limit: most, offset: 0 };
  const keys = dialect.pageOfKeys(
    matchesIn(dialect, part, placeOf(part, params), edges, query, params),
    page,
    params.bind,
  );
  return params.query('count_matches', `SELECT count(*) AS matches FROM (${keys}) AS k`);
}
