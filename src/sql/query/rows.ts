import type { SortOrder } from '../../store/filters.ts';
import { number } from '../codec.ts';
import type { SqlValue } from '../port/values.ts';
import type { Position } from './bounds.ts';

/** `places`: where the key's columns are in a row. */
export function positionOf(row: readonly SqlValue[], places: readonly number[]): Position {
  return places.map((place) => number(row[place]));
}

/** Rows that were fetched by their keys, in the order of these: a join promises none. */
export function sortRows(rows: SqlValue[][], places: readonly number[], order: SortOrder): SqlValue[][] {
  const sign = order === 'asc' ? 1 : -1;
  return rows.sort((one, other) => {
    for (const place of places) {
      const difference = number(one[place]) - number(other[place]);
      if (difference !== 0) return sign * difference;
    }
    return 0;
  });
}
