import type { SortOrder } from '../../store/filters.ts';
import { number } from '../codec.ts';
import type { Row } from '../driver.ts';
import type { Position } from './bounds.ts';

export function positionOf(row: Row, columns: readonly string[]): Position {
  return columns.map((column) => number(row[column]));
}

/** Rows that were fetched by their keys, in the order of these: a join promises none. */
export function sortRows(rows: Row[], columns: readonly string[], order: SortOrder): Row[] {
  const sign = order === 'asc' ? 1 : -1;
  return rows.sort((one, other) => {
    for (const column of columns) {
      const difference = number(one[column]) - number(other[column]);
      if (difference !== 0) return sign * difference;
    }
    return 0;
  });
}
