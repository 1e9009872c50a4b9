import assert from 'node:assert/strict';
import { minute, refused } from './samples.ts';

/** A query as a caller without a type checker sees it: any object may come in as a filter. */
type LooseQuery = (filter: Record<string, unknown>) => Promise<unknown[]>;

const BAD_INSTANTS = [
  new Date(Number.NaN),
  Number.NaN,
  Number.POSITIVE_INFINITY,
  'yesterday',
  '',
  // Without a zone it would mean another instant on every machine.
  '2024-05-17T12:00:00',
  {},
  true,
  null,
];
const BAD_LIMITS = [0, -1, 1.5, 10_001, Number.NaN, Number.POSITIVE_INFINITY, '10', 10n, null];
const BAD_OFFSETS = [-1, 0.5, Number.NaN, '1', null];

/** Values that every query refuses, by the key that they stand under. */
const BAD_VALUES: Record<string, unknown[]> = {
  limit: BAD_LIMITS,
  offset: BAD_OFFSETS,
  order: ['up', '', 'DESC', 1, null],
  createdAfter: BAD_INSTANTS,
  createdBefore: BAD_INSTANTS,
  // Misspelt keys: taken for "no filter", they would match everything.
  createdafter: [new Date()],
  agentID: ['a'],
  templateID: ['t'],
  where: ['1 = 1'],
};

/** Each bad value is refused under its name, alone and beside a good filter. */
export async function refusesBadFilters(query: LooseQuery, own: Record<string, unknown[]>): Promise<void> {
  for (const [key, values] of Object.entries({ ...BAD_VALUES, ...own })) {
    for (const value of values) {
      const what = `${key}: ${JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part))}`;
      await refused(query({ [key]: value }), key, what);
      if (key !== 'limit') await refused(query({ limit: 5, [key]: value }), key, what);
    }
  }
}

/** Keys that are there but undefined say nothing, as spread options do. */
export async function ignoresUndefined(query: LooseQuery, keys: string[]): Promise<void> {
  const plain = await query({});
  for (const key of [...keys, 'limit', 'offset', 'order', 'createdAfter', 'createdBefore']) {
    assert.deepEqual(await query({ [key]: undefined }), plain, key);
  }
}

/**
 * One row at each of `minute(0)` to `minute(9)`: `createdAfter` takes in its own instant, `createdBefore`
 * leaves its own out, in every form that an instant may have. `minutesOf` runs the query and says which
 * minutes it found, in any order.
 */
export async function checksRanges(
  minutesOf: (range: Record<string, unknown>) => Promise<number[]>,
): Promise<void> {
  const found = async (range: Record<string, unknown>) =>
    (await minutesOf(range)).sort((one, other) => one - other);
  const forms: ((minutes: number) => unknown)[] = [
    minute,
    (minutes) => minute(minutes).getTime(),
    (minutes) => minute(minutes).toISOString(),
    (minutes) => new Date(minute(minutes).getTime() + 5.5 * 3_600_000).toISOString().replace('Z', '+05:30'),
  ];
  for (const form of forms) {
    assert.deepEqual(await found({ createdAfter: form(7) }), [7, 8, 9]);
    assert.deepEqual(await found({ createdBefore: form(3) }), [0, 1, 2]);
    assert.deepEqual(await found({ createdAfter: form(4), createdBefore: form(6) }), [4, 5]);
    assert.deepEqual(await found({ createdAfter: form(5), createdBefore: form(5) }), []);
  }
  const justAfter = new Date(minute(7).getTime() + 1);
  assert.deepEqual(await found({ createdAfter: justAfter }), [8, 9]);
  assert.deepEqual(await found({ createdBefore: justAfter }), [0, 1, 2, 3, 4, 5, 6, 7]);
  // A plain date is its midnight in UTC.
  assert.equal((await found({ createdAfter: '2024-05-17' })).length, 10);
  assert.deepEqual(await found({ createdAfter: '2024-05-18' }), []);
  assert.deepEqual(await found({ createdBefore: '2024-05-17' }), []);
  assert.equal((await found({ createdBefore: '2024-05-18' })).length, 10);
}

/**
 * There are 120 rows: 100 come by default, every page is the piece of the whole that it should be, `offset`
 * works alone, and `asc` is the whole turned round.
 */
export async function checksPages(query: LooseQuery): Promise<void> {
  const all = await query({ limit: 10_000 });
  assert.equal(all.length, 120);
  assert.deepEqual(await query({}), all.slice(0, 100));
  assert.deepEqual(await query({ offset: 0 }), all.slice(0, 100));
  assert.deepEqual(await query({ offset: 50 }), all.slice(50));
  assert.deepEqual(await query({ limit: 1 }), all.slice(0, 1));
  assert.deepEqual(await query({ offset: 120 }), []);
  assert.deepEqual(await query({ limit: 7, offset: 5_000 }), []);
  for (const limit of [1, 7, 119, 120, 121]) {
    const pages: unknown[] = [];
    const step = Math.max(limit, 13);
    for (let offset = 0; offset < 120; offset += step) {
      const page = await query({ limit, offset });
      assert.deepEqual(page, all.slice(offset, offset + limit));
      pages.push(...page);
    }
    if (limit === step) assert.deepEqual(pages, all);
  }
  const turned = await query({ limit: 10_000, order: 'asc' });
  assert.deepEqual(turned, [...all].reverse());
  assert.deepEqual(await query({ limit: 10_000, order: 'desc' }), all);
  assert.deepEqual(await query({ limit: 7, offset: 3, order: 'asc' }), turned.slice(3, 10));
}
