import { expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { conversation, createAgent } from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');

it('a hundred forks of a thousand messages add at most 200 KB to the tables and indexes', async () => {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  const store = new PostgresStore(url, undefined, { schema });
  const size = async () => {
    const { rows } = await client.query(
      `SELECT sum(pg_total_relation_size(c.oid))::int AS bytes FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`,
      [schema],
    );
    return Number(rows[0]?.bytes);
  };
  try {
    const metadata = { tier: 'gold', customer: { id: 'cus_8f2a91c7' }, note: 'x'.repeat(192) };
    expect(JSON.stringify(metadata)).toHaveLength(250);
    await createAgent(store, 'a', conversation(1_000), { userId: 'u', metadata });
    const before = await size();
    for (let n = 0; n < 5; n += 1) await store.batchFork('a', 100);
    expect(((await size()) - before) / 5).toBeLessThanOrEqual(200_000);
  } finally {
    await store.close();
    await dropSchema(schema);
  }
});
