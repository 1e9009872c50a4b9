import { describe, expect, it } from 'vitest';
import { within } from '../../src/testing/timing.ts';
import { startChild } from '../support/child.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

describe('P5 a process that forgets to close its store', () => {
  const database = postgresDatabase('postgres18');

  it.each(['own', 'given'])('ends, although it holds a lease (pool: %s)', async (pool) => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const child = startChild(new URL('./left-open.child.ts', import.meta.url), { args: [url, schema, pool] });
    try {
      expect(await within(child.line(), 'it works', 25_000)).toBe('held');
      expect(await within(child.rest(), 'it ends', 4_000)).toEqual([]);
    } finally {
      await child.kill();
      await dropSchema(schema);
    }
  });
});
