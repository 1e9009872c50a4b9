import type { MessageQuery } from '../../store/validate-filter.ts';
import { type AgentState, readState } from '../agent-state.ts';
import { number } from '../codec.ts';
import type { Dialect } from '../dialect.ts';
import type { AgentKeys } from '../directory.ts';
import { type Row, run, type Script } from '../driver.ts';
import { statement } from '../statement.ts';
import { compare } from './bounds.ts';
import type { Window } from './chain.ts';
import { isUnfiltered, messageArms } from './message-keys.ts';
import { type KeySelect, lookUp, selectPage } from './ordered-keys.ts';
import { ask, Params, type Query } from './params.ts';

/** SQLite: a page of a conversation, branch by branch; see `readConversation`. */
export function* walkConversation(
  dialect: Dialect,
  keys: AgentKeys,
  query: MessageQuery,
  window: Window,
): Script<Row[] | undefined> {
  const state = yield* readState(keys);
  if (!state) return undefined;
  if (isUnfiltered(query)) return yield* readPositions(state, query, window);
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
function partsOf({ chain, keys }: AgentState, window: Window, order: MessageQuery['order']): Part[] {
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

const POSITIONS = statement(
  'read_positions',
  `SELECT seq, created_at, payload FROM {messages}
   WHERE tree = $1 AND branch = $2 AND seq >= $3 AND seq < $4`,
);

function* readPositions(state: AgentState, query: MessageQuery, window: Window): Script<Row[]> {
  const { order, limit, offset } = query;
  const end = Math.min(window.to, state.head.messageCount);
  const from = order === 'asc' ? window.from + offset : end - offset - limit;
  const page = { from: Math.max(window.from, from), to: Math.min(end, from + limit) };
  const rows: Row[] = [];
  for (const { tree, branch, lo, hi } of partsOf(state, page, order)) {
    rows.push(...(yield* run(POSITIONS, [tree, branch, lo, hi])));
  }
  return rows;
}

function* readMatches(
  dialect: Dialect,
  state: AgentState,
  query: MessageQuery,
  window: Window,
): Script<Row[]> {
  const rows: Row[] = [];
  let toSkip = query.offset;
  for (const part of partsOf(state, window, query.order)) {
    const edges = yield* readEdges(part);
    if (toSkip > 0) {
      const count = countMatches(dialect, part, edges, query, toSkip);
      const [found] = yield* ask(count);
      const skipped = number(found?.matches);
      if (skipped < toSkip) {
        toSkip -= skipped;
        continue;
      }
    }
    const page = { limit: query.limit - rows.length, offset: toSkip };
    const matches = selectMatches(dialect, part, edges, query, page);
    rows.push(...(yield* ask(matches)));
    if (rows.length >= query.limit) break;
    toSkip = 0;
  }
  return rows;
}

const INSTANT = statement(
  'message_instant',
  'SELECT created_at FROM {messages} WHERE tree = $1 AND branch = $2 AND seq = $3',
);

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
    first: first && number(first.created_at),
    last: last && number(last.created_at),
  };
}

const KEY = ['created_at', 'seq'];

function matchesIn(part: Part, edges: Edges, query: MessageQuery, params: Params): KeySelect {
  const conditions = [`tree = ${params.bind(part.tree)}`, `branch = ${params.bind(part.branch)}`];
  const { createdAfter = Number.NEGATIVE_INFINITY, createdBefore = Number.POSITIVE_INFINITY } = query;
  // SQLite uses one bound on each side for the range: the narrower one.
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
    arms: messageArms('branch_messages', query, conditions),
    overlapping: query.contentType === undefined,
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
  const keys = selectPage(dialect, matchesIn(part, edges, query, params), page, params);
  const place = `m.tree = ${params.bind(part.tree)} AND m.branch = ${params.bind(part.branch)}`;
  const message = lookUp(dialect, 'messages', 'm', `${place} AND m.seq = k.seq`);
  return params.query('read_matches', `SELECT m.seq, m.created_at, m.payload FROM (${keys}) AS k ${message}`);
}

/** How many matches a part has, counted up to `most`. */
function countMatches(dialect: Dialect, part: Part, edges: Edges, query: MessageQuery, most: number): Query {
  const params = new Params();
  const page = { limit: most, offset: 0 };
  const keys = selectPage(dialect, matchesIn(part, edges, query, params), page, params);
  return params.query('count_matches', `SELECT count(*) AS matches FROM (${keys}) AS k`);
}
