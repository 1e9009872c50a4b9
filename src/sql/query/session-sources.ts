import type { MetadataMatch } from '../../store/metadata-filter.ts';
import type { SessionQuery } from '../../store/validate-filter.ts';
import type { Dialect } from '../port/dialect.ts';
import { orderBy } from '../port/key-ranges.ts';
import { compare, type Position } from './bounds.ts';
import type { Params } from './params.ts';
import { sessionKey } from './session-rows.ts';
import { type Test, testsOf } from './session-tests.ts';

/** The range of an index in which agents are looked for. What it doesn't cover is tested on each of them. */
export type Source =
  | { table: 'agents'; index: 'agents_by_time' | 'agents_by_template' | 'agents_by_user' }
  | { table: 'heads'; index: 'heads_by_activity' | 'heads_not_idle' }
  | { table: 'metadata'; match: MetadataMatch }
  | { table: 'metadata_jsonb' };

const ALIASES = { agents: 'a', heads: 'h', metadata: 'x', metadata_jsonb: 'x' } as const;

/** The narrowest index that has the agents in the query's order. */
export function orderedSource(query: SessionQuery): Source {
  if (query.sortBy === 'updatedAt') {
    return { table: 'heads', index: isRareStatus(query) ? 'heads_not_idle' : 'heads_by_activity' };
  }
  if (query.userId !== undefined) return { table: 'agents', index: 'agents_by_user' };
  return { table: 'agents', index: query.templateId === undefined ? 'agents_by_time' : 'agents_by_template' };
}

/** Ranges in another order that may hold much fewer agents, the likely narrowest first. */
export function selectiveSources(dialect: Dialect, query: SessionQuery): Source[] {
  const { metadata, userId, templateId, createdAfter, createdBefore } = query;
  const byActivity = query.sortBy === 'updatedAt';
  const sources: Source[] = [];
  if (dialect.hasTable('metadata')) {
    for (const match of metadata) sources.push({ table: 'metadata', match });
  } else if (metadata.length > 0) sources.push({ table: 'metadata_jsonb' });
  if (byActivity && userId !== undefined) sources.push({ table: 'agents', index: 'agents_by_user' });
  if (!byActivity && isRareStatus(query)) sources.push({ table: 'heads', index: 'heads_not_idle' });
  if (byActivity && templateId !== undefined) sources.push({ table: 'agents', index: 'agents_by_template' });
  if (byActivity && (createdAfter !== undefined || createdBefore !== undefined)) {
    sources.push({ table: 'agents', index: 'agents_by_time' });
  }
  return sources;
}

/** Agents are idle unless they are in use or in need of somebody. */
function isRareStatus({ status }: SessionQuery): boolean {
  return status !== undefined && status !== 'idle';
}

export interface Limits {
  /** Only what comes after it in the query's order. */
  after?: Position | undefined;
  /** How many of the source's agents are looked at, in its own order. */
  atMost?: number | undefined;
  unordered?: boolean;
}

/** The key by which a source has its agents in order, if it has. */
function keyOf(source: Source): string[] | undefined {
  if (source.table === 'agents') return ['a.created_at', 'a.agent'];
  return source.table === 'heads' ? ['h.updated_at', 'h.agent'] : undefined;
}

/** The keys of the agents that match, with the instant that they are ordered by. */
export function selectFrom(
  dialect: Dialect,
  source: Source,
  query: SessionQuery,
  params: Params,
  { after, atMost, unordered = false }: Limits,
): string {
  const origin = ALIASES[source.table];
  const sorter = query.sortBy === 'updatedAt' ? 'h' : 'a';
  const key = sessionKey(query).map((column) => `${sorter}.${column}`);
  const sorted = unordered ? '' : orderBy(key, query.order);
  const { covered, open } = divide(dialect, source, query);
  const range = covered.map((test) => test.sql(params));
  if (after) range.push(compare(key, query.order === 'asc' ? '>' : '<', after, params));
  const tests = open.map((test) => test.sql(params));
  let scan = scanOf(dialect, source);
  const ownKey = keyOf(source);
  if (atMost === undefined || !ownKey) tests.unshift(...range);
  else {
    const first = `${orderBy(ownKey, query.order)} LIMIT ${atMost}`;
    const tested = open.filter(({ row }) => row === origin).map(({ column }) => `${origin}.${column}`);
    const columns = [...new Set([`${origin}.tree`, ...ownKey, ...tested])].join(', ');
    const some = `SELECT ${columns} FROM ${scan} ${where(range)} ${first}`;
    // What is sorted anyway is planned for itself; what is in order must be read only as far as needed.
    const isInOrder = ownKey.join() === key.join();
    scan = `(${isInOrder ? some : `WITH gathered AS MATERIALIZED (${some}) SELECT * FROM gathered`}) AS ${origin}`;
  }
  const joined = new Set([...open.map(({ row }) => row), ...(unordered ? [] : [sorter])]);
  joined.delete(origin);
  const joins = (['metadata_jsonb', 'agents', 'heads'] as const).map((table) => {
    const alias = ALIASES[table];
    if (!joined.has(alias)) return '';
    return dialect.joinByKey(
      table,
      alias,
      `${alias}.tree = ${origin}.tree AND ${alias}.agent = ${origin}.agent`,
    );
  });
  const columns = [`${origin}.tree`, `${origin}.agent`, ...(unordered ? [] : key.slice(0, 1))];
  return `SELECT ${columns.join(', ')} FROM ${scan} ${joins.join(' ')} ${where(tests)} ${sorted}`;
}

/** How many agents a source has, counted up to `most`. */
export function countSource(
  dialect: Dialect,
  source: Source,
  query: SessionQuery,
  params: Params,
  most: number,
): string {
  const range = divide(dialect, source, query).covered.map((test) => test.sql(params));
  const ownKey = keyOf(source);
  const scan = `SELECT 1 FROM ${scanOf(dialect, source)} ${where(range)}`;
  // For a low limit a planner may read the table from its beginning instead of an index: not if the rows
  // are to be in the index's order, nor in an expression of its own, which is planned as if all were needed.
  if (!dialect.plansByLimits || ownKey) {
    const sorted = ownKey ? orderBy(ownKey, query.order) : '';
    return `SELECT count(*) AS population FROM (${scan} ${sorted} LIMIT ${most}) AS counted`;
  }
  return `WITH found AS MATERIALIZED (${scan})
    SELECT count(*) AS population FROM (SELECT 1 FROM found LIMIT ${most}) AS counted`;
}

/** Whether the source's range is all that the filter asks for. */
export function coversFilter(dialect: Dialect, source: Source, query: SessionQuery): boolean {
  return divide(dialect, source, query).open.length === 0;
}

/** The filter's conditions: those that the source's range covers, and those still open. */
function divide(dialect: Dialect, source: Source, query: SessionQuery): { covered: Test[]; open: Test[] } {
  const driving = source.table === 'metadata' ? source.match : undefined;
  const tests = testsOf(dialect, query, ALIASES[source.table], driving);
  return {
    covered: tests.filter((test) => covers(source, test)),
    open: tests.filter((test) => !covers(source, test)),
  };
}

function covers(source: Source, { filter, row }: Test): boolean {
  switch (source.table) {
    case 'metadata':
      return filter === source.match;
    case 'metadata_jsonb':
      return row === 'x';
    case 'heads':
      return source.index === 'heads_not_idle' && filter === 'status';
    case 'agents':
      if (filter === 'userId') return source.index === 'agents_by_user';
      if (filter === 'templateId') return source.index === 'agents_by_template';
      return filter === 'created';
  }
}

function scanOf(dialect: Dialect, source: Source): string {
  const scan = `{${source.table}} AS ${ALIASES[source.table]}`;
  return 'index' in source ? `${scan} ${dialect.useIndex(source.index)}` : scan;
}

function where(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
}
