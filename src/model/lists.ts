/**
 * For lists of any length. A spread in a call (`push(...list)`, `Math.max(...list)`) puts every item on the
 * stack as an argument, which some hundred thousand of them overflow.
 */

/** Puts the items behind those that are there. */
export function appendAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}

/** `-Infinity` where there are none. */
export function largest(numbers: Iterable<number>): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const one of numbers) if (one > most) most = one;
  return most;
}

/** `Infinity` where there are none. */
export function smallest(numbers: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const one of numbers) if (one < least) least = one;
  return least;
}

/**
 * A copy of a caller's list, each item checked before it is copied: a list may say that it has four thousand
 * million items, and have none of them.
 */
export function listOf<T>(
  field: string,
  list: readonly T[],
  check: (item: T | undefined, field: string) => void,
): T[] {
  const items: T[] = [];
  for (let i = 0; i < list.length; i += 1) {
    const item = list[i];
    check(item, `${field}[${i}]`);
    items.push(item as T);
  }
  return items;
}
