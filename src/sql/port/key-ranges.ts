import type { IndexName } from '../schema/indexes.ts';
import type { TableName } from '../schema/tables.ts';

/** One range of one index, in whose order the rows come. Conditions may call the row `r`. */
export interface Range {
  index: IndexName;
  where: readonly string[];
}

/**
 * The keys of a query's rows, found in indexes alone; the rows themselves are fetched by key afterwards,
 * so that what is skipped costs no payload. Where no single range has all rows in order, several are
 * merged: each is read only as far as the limit needs.
 */
export interface KeyRanges {
  table: TableName;
  /** Columns of the key, in the order of each range's index. */
  columns: readonly string[];
  ranges: readonly Range[];
  /** A row can be in more than one range. */
  overlapping: boolean;
  order: 'asc' | 'desc';
  /** Whole rows instead of keys. */
  whole?: true;
}

export function orderBy(columns: readonly string[], order: KeyRanges['order']): string {
  return `ORDER BY ${columns.map((column) => `${column} ${order.toUpperCase()}`).join(', ')}`;
}

/** The keys of one range. `hint` follows the table's name. */
export function keysOfRange(keys: KeyRanges, range: Range, hint: string): string {
  const columns = keys.whole ? 'r.*' : keys.columns.join(', ');
  return `SELECT ${columns} FROM {${keys.table}} AS r ${hint} WHERE ${range.where.join(' AND ')}`;
}

/** At least the first `count` keys, where a statement is planned by its limits. */
export function firstKeys(keys: KeyRanges, count: number): string {
  const sorted = `${orderBy(keys.columns, keys.order)} LIMIT ${plannedLimit(count)}`;
  const [first, ...others] = keys.ranges.map((range) => `${keysOfRange(keys, range, '')} ${sorted}`);
  if (others.length === 0) return first ?? '';
  const columns = keys.columns.join(', ');
  const merged = [first, ...others].map((query) => `(${query})`).join(' UNION ALL ');
  return `SELECT ${keys.overlapping ? 'DISTINCT ' : ''}${columns} FROM (${merged}) AS ranges ${sorted}`;
}

/** An upper bound of a limit, rounded up so that there are few texts. */
export function plannedLimit(count: number): number {
  for (const bound of [128, 1_024, 4_096, 10_240]) if (count <= bound) return bound;
  return 2 ** Math.ceil(Math.log2(count));
}
