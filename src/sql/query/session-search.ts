import type { SessionQuery, StatsQuery } from '../../store/validate-filter.ts';
import { number } from '../codec.ts';
import type { Dialect } from '../port/dialect.ts';
import type { Driver } from '../port/driver.ts';
import { orderBy, plannedLimit } from '../port/key-ranges.ts';
import type { SqlValue } from '../port/values.ts';
import type { Position } from './bounds.ts';
import { HEAVY_ROWS, heavyReads, type Reads, readsOf } from './heavy.ts';
import { Params, type Query } from './params.ts';
import { sessionKey, sessionsWithKeys } from './session-rows.ts';
import {
  countSource,
  coversFilter,
  type Limits,
  orderedSource,
  type Source,
  selectFrom,
  selectiveSources,
} from './session-sources.ts';

/** A source with no more agents than this is read as a whole without looking for another way. */
const FEW = 512;
/** How many agents are tested in the query's order before another way is taken. */
const PATIENCE = 2_048;
/** Beyond this, a source's agents may be read in any order. */
const MANY = 8_192;

/**
 * A page of sessions. Where one index has both what the filter asks for and the order, it is walked. Else
 * there are two ways, and the data decide which is cheap: to walk an index in the query's order and test
 * each agent, which is fast where many match; or to gather what a selective index has, and sort that. So
 * that the cost depends on what the filter matches and not on what it leaves out, a walk that doesn't find
 * enough is given up.
 */
export async function pageOfSessions(
  driver: Driver,
  query: SessionQuery,
  after?: Position,
): Promise<SqlValue[][]> {
  const { dialect } = driver;
  const ordered = orderedSource(query);
  const reads = readsOf(driver, query);
  const read = (source: Source, limits: Limits) => ask(reads, planPage(dialect, query, source, limits));
  const selective = coversFilter(dialect, ordered, query) ? [] : selectiveSources(dialect, query);
  if (selective.length === 0) return read(ordered, { after });

  const counted = await countAll(driver, [ordered, ...selective], query, FEW + 1);
  const fewest = counted.find(({ population }) => population <= FEW);
  if (fewest) return read(fewest.source, { atMost: capFor(dialect, FEW) });
  const rows = await read(ordered, { atMost: plannedLimit(PATIENCE + query.limit + query.offset) });
  if (rows.length === query.limit) return rows;
  const [narrowest] = await countAll(driver, selective, query, MANY);
  if (!narrowest) return rows;
  const { source, population } = narrowest;
  if (population < MANY) return read(source, { atMost: capFor(dialect, population) });
  return ask(heavyReads(driver), planPage(dialect, query, source, {}));
}

/** Fewest first. */
async function countAll(
  driver: Driver,
  sources: readonly Source[],
  query: SessionQuery,
  most: number,
): Promise<{ source: Source; population: number }[]> {
  const counted: { source: Source; population: number }[] = [];
  for (const source of sources) {
    const params = new Params();
    const text = countSource(driver.dialect, source, query, params, most);
    const [row] = await ask(driver, params.query('count_source', text));
    counted.push({ source, population: number(row?.[0]) });
  }
  return counted.sort((one, other) => one.population - other.population);
}

/** A bound that leaves room for agents added meanwhile: it keeps a planner to the source's index. */
function capFor(dialect: Dialect, population: number): number | undefined {
  return dialect.plansByLimits ? plannedLimit(2 * population) : undefined;
}

function ask(driver: Reads, { statement, params }: Query): Promise<SqlValue[][]> {
  return driver.read(statement, params);
}

function planPage(dialect: Dialect, query: SessionQuery, source: Source, limits: Limits): Query {
  const params = new Params();
  const keys = selectFrom(dialect, source, query, params, limits);
  const page = `LIMIT ${params.bind(query.limit)} OFFSET ${params.bind(query.offset)}`;
  const planned = dialect.plansByLimits
    ? `SELECT * FROM (${keys} LIMIT ${plannedLimit(query.limit + query.offset)}) AS first_rows
         ${orderBy(sessionKey(query), query.order)}`
    : keys;
  return params.query('query_sessions', sessionsWithKeys(dialect, `${planned} ${page}`));
}

/** The keys of all sessions that match, in order, for an iterator. */
export async function listSessionKeys(driver: Driver, query: SessionQuery): Promise<SqlValue[][]> {
  const { dialect } = driver;
  const source = narrowestSource(dialect, query);
  const params = new Params();
  const keys = selectFrom(dialect, source, query, params, {});
  const limit = Number.isFinite(query.limit) ? `LIMIT ${params.bind(query.limit)}` : '';
  const list = params.query('list_sessions', `${keys} ${limit}`);
  if (dialect.worksApart) return ask(driver, list);
  const [counted] = await countAll(driver, [source], query, HEAVY_ROWS);
  return ask(counted && counted.population < HEAVY_ROWS ? driver : heavyReads(driver), list);
}

/** The keys of the agents that a filter matches, in no order: a subquery. */
export function selectMatchingAgents(dialect: Dialect, filter: StatsQuery, params: Params): string {
  const query: SessionQuery = { ...filter, limit: 1, offset: 0, order: 'asc', sortBy: 'createdAt' };
  return selectFrom(dialect, narrowestSource(dialect, query), query, params, { unordered: true });
}

/** Where every match is wanted, the order counts for less than how few agents are looked at. */
function narrowestSource(dialect: Dialect, query: SessionQuery): Source {
  return selectiveSources(dialect, query)[0] ?? orderedSource(query);
}
