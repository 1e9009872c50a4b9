import type { Row } from '../driver.ts';

const FIRST_PAGE = 64;
const MAX_PAGE = 512;
/** Characters of text in a page: below the first pages grow, above the second they shrink. */
const LIGHT = 500_000;
const HEAVY = 4_000_000;

/**
 * Rows page by page, each page read after the last row of the one before: nothing stays open in between,
 * and memory is bounded whatever the number of rows. Pages get smaller where rows are large.
 */
export async function* inPages(
  limit: number,
  readPage: (limit: number, last: Row | undefined) => Promise<Row[]>,
): AsyncGenerator<Row[]> {
  let size = FIRST_PAGE;
  let last: Row | undefined;
  for (let left = limit; left > 0; ) {
    const asked = Math.min(size, left);
    const rows = await readPage(asked, last);
    yield rows;
    if (rows.length < asked) return;
    last = rows.at(-1);
    left -= rows.length;
    size = nextSize(size, rows);
  }
}

function nextSize(size: number, rows: readonly Row[]): number {
  let weight = 0;
  for (const row of rows) {
    for (const value of Object.values(row)) if (typeof value === 'string') weight += value.length;
  }
  if (weight > HEAVY) return Math.max(1, size >> 1);
  return weight < LIGHT ? Math.min(MAX_PAGE, size << 1) : size;
}
