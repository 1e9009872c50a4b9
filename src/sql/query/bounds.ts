import type { CreatedRange, PageSpec } from '../../store/validate-filter.ts';
import type { Params } from './params.ts';

/** Where an iterator goes on: the last key that it gave, in the order of the key's columns. */
export type Position = readonly number[];

/**
 * Conditions on an index that is ordered by `columns`, of which the first is the instant. A position is
 * within the range that the filter asks for, so it replaces the range's bound on its side.
 */
export function boundsOf(
  query: CreatedRange & Pick<PageSpec, 'order'>,
  columns: readonly string[],
  after: Position | undefined,
  params: Params,
): string[] {
  const [instant] = columns;
  const bounds: string[] = [];
  if (after && query.order === 'asc') bounds.push(compare(columns, '>', after, params));
  else if (query.createdAfter !== undefined) bounds.push(`${instant} >= ${params.bind(query.createdAfter)}`);
  if (after && query.order === 'desc') bounds.push(compare(columns, '<', after, params));
  else if (query.createdBefore !== undefined) bounds.push(`${instant} < ${params.bind(query.createdBefore)}`);
  return bounds;
}

/** Row values compare like the index that they begin, column by column. */
export function compare(
  columns: readonly string[],
  operator: '<' | '>' | '<=' | '>=',
  values: Position,
  params: Params,
): string {
  const bound = values.map((value) => params.bind(value));
  return `(${columns.join(', ')}) ${operator} (${bound.join(', ')})`;
}
