import type { Dialect } from '../port/dialect.ts';
import type { SqlValue } from '../port/values.ts';

const FIRST_PAGE = 64;
const MAX_PAGE = 1_024;
/** Characters of text in a page: below the first pages grow, above the second they shrink. */
const LIGHT = 500_000;
const HEAVY = 4_000_000;

/** How a page is read: the rows after the last one of the page before. */
export type ReadPage = (limit: number, last: SqlValue[] | undefined) => Promise<SqlValue[][]>;

/**
 * Rows page by page, each page read after the last row of the one before: nothing stays open in between,
 * and memory is bounded whatever the number of rows. Pages get smaller where rows are large.
 *
 * A database that works apart reads the next page while the caller has one, from the moment on that the caller has
 * come back for more.
 */
export async function* inPages(
  dialect: Dialect,
  limit: number,
  readPage: ReadPage,
): AsyncGenerator<SqlValue[][]> {
  let asked = Math.min(FIRST_PAGE, limit);
  let left = limit;
  let last: SqlValue[] | undefined;
  let coming: Promise<SqlValue[][]> | undefined;
  try {
    for (;;) {
      const isFirst = last === undefined;
      const rows = await (coming ?? readPage(asked, last));
      coming = undefined;
      left -= rows.length;
      const isLast = rows.length < asked || left <= 0;
      last = rows.at(-1);
      asked = Math.min(nextSize(asked, rows), left);
      if (dialect.worksApart && !isFirst && !isLast) {
        coming = readPage(asked, last);
        // Whoever asks for the page gets the error; nobody may.
        coming.catch(ignore);
        // It is sent by the event loop, which has no turn while the caller goes through a page.
        await new Promise((resolve) => setImmediate(resolve));
      }
      yield rows;
      if (isLast) return;
    }
  } finally {
    await coming?.catch(ignore);
  }
}

function ignore(): void {}

function nextSize(size: number, rows: readonly (readonly SqlValue[])[]): number {
  let weight = 0;
  for (const row of rows) for (const value of row) if (typeof value === 'string') weight += value.length;
  if (weight > HEAVY) return Math.max(1, size >> 1);
  return weight < LIGHT ? Math.min(MAX_PAGE, size << 1) : size;
}
