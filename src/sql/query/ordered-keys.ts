import type { PageSpec } from '../../store/validate-filter.ts';
import type { Dialect } from '../dialect.ts';
import { type IndexName, indexName } from '../schema/indexes.ts';
import type { TableName } from '../schema/tables.ts';
import type { Params } from './params.ts';

/** One range of one index, in whose order the rows come. Conditions may call the row `r`. */
export interface Arm {
  index: IndexName;
  where: readonly string[];
}

/**
 * The keys of a query's rows, found in indexes alone; the rows themselves are fetched by key afterwards,
 * so that what is skipped costs no payload. Where no single range has all rows in order, several are
 * merged: both databases read each only as far as the limit needs.
 */
export interface KeySelect {
  table: TableName;
  /** Columns of the key, in the order of each arm's index. */
  columns: readonly string[];
  arms: readonly Arm[];
  /** A row can be in more than one arm. */
  overlapping: boolean;
  order: PageSpec['order'];
  /** Whole rows instead of keys. */
  whole?: true;
}

export function orderBy(columns: readonly string[], order: PageSpec['order']): string {
  return `ORDER BY ${columns.map((column) => `${column} ${order.toUpperCase()}`).join(', ')}`;
}

/** A page of keys. */
export function selectPage(
  dialect: Dialect,
  select: KeySelect,
  page: Pick<PageSpec, 'limit' | 'offset'>,
  params: Params,
): string {
  const cut = `LIMIT ${params.bind(page.limit)} OFFSET ${params.bind(page.offset)}`;
  if (dialect.name === 'sqlite') {
    const columns = [...select.columns, 'rowid AS place'];
    const arms = select.arms.map((arm) =>
      scan({ ...select, columns }, arm, `INDEXED BY ${indexName(arm.index)}`),
    );
    // To leave out what comes twice is to sort by every column.
    const sorted = orderBy(select.overlapping ? [...select.columns, 'place'] : select.columns, select.order);
    return `${arms.join(select.overlapping ? ' UNION ' : ' UNION ALL ')} ${sorted} ${cut}`;
  }
  const sorted = orderBy(select.columns, select.order);
  return `SELECT * FROM (${selectFirst(select, page.limit + page.offset)}) AS first_rows ${sorted} ${cut}`;
}

/** PostgreSQL: at least the first `count` keys. */
export function selectFirst(select: KeySelect, count: number): string {
  const sorted = `${orderBy(select.columns, select.order)} LIMIT ${plannedLimit(count)}`;
  const [first, ...others] = select.arms.map((arm) => `${scan(select, arm, '')} ${sorted}`);
  if (others.length === 0) return first ?? '';
  const columns = select.columns.join(', ');
  const merged = [first, ...others].map((arm) => `(${arm})`).join(' UNION ALL ');
  return `SELECT ${select.overlapping ? 'DISTINCT ' : ''}${columns} FROM (${merged}) AS arms ${sorted}`;
}

function scan(select: KeySelect, arm: Arm, hint: string): string {
  const columns = select.whole ? 'r.*' : select.columns.join(', ');
  return `SELECT ${columns} FROM {${select.table}} AS r ${hint} WHERE ${arm.where.join(' AND ')}`;
}

/**
 * PostgreSQL plans a prepared statement without knowing its parameters, and takes an unknown limit for a
 * tenth of the table, which makes a scan of all of it look cheap. So an upper bound of the limit is part of
 * the text, rounded up so that there are few texts.
 */
export function plannedLimit(count: number): number {
  for (const bound of [128, 1_024, 4_096, 10_240]) if (count <= bound) return bound;
  return 2 ** Math.ceil(Math.log2(count));
}

/**
 * The rows of a page, for FROM. Those of its keys `k` are joined by `key`; SQLite knows their places, and a key
 * would be searched for first. In PostgreSQL an entry of an index leads to its row: where one range has all rows
 * and none is skipped, searching for them a second time would cost more the larger the table is.
 */
export function rowsOfPage(
  dialect: Dialect,
  select: KeySelect,
  page: Pick<PageSpec, 'limit' | 'offset'>,
  params: Params,
  { alias, key }: { alias: string; key: string },
): string {
  if (dialect.name !== 'sqlite' && select.arms.length === 1 && page.offset === 0) {
    return `(${selectPage(dialect, { ...select, whole: true }, page, params)}) AS ${alias}`;
  }
  const place = dialect.name === 'sqlite' ? `${alias}.rowid = k.place` : key;
  const keys = selectPage(dialect, select, page, params);
  return `(${keys}) AS k ${lookUp(dialect, select.table, alias, place)}`;
}

/**
 * Joins the rows of a table that the rows so far name by a key, with a look-up for each. Left alone, the
 * planners see other ways, and misjudge them: they don't know that a key's columns belong together. SQLite
 * keeps the order of a CROSS JOIN, PostgreSQL doesn't look into a subquery with an OFFSET.
 */
export function lookUp(
  dialect: Pick<Dialect, 'name'>,
  table: TableName,
  alias: string,
  condition: string,
): string {
  return dialect.name === 'sqlite'
    ? `CROSS JOIN {${table}} AS ${alias} ON ${condition}`
    : `CROSS JOIN LATERAL (SELECT * FROM {${table}} AS ${alias} WHERE ${condition} OFFSET 0) AS ${alias}`;
}
