import { expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');

it('S7 a schema that is dropped under an open store is no healthy one, and errors say what became of it', async () => {
  const { url, client, createSchema } = await database();
  const schema = await createSchema();
  const store = new PostgresStore(url, undefined, { schema });
  await createAgent(store, 'a');
  expect((await store.healthCheck()).healthy).toBe(true);
  await client.query(`DROP SCHEMA "${schema}" CASCADE`);
  const { healthy, database: report } = await store.healthCheck();
  expect(healthy).toBe(false);
  expect(report.error).toMatch(/kode_data_heads.* was dropped/);
  const refused = store.appendMessages('a', [user('lost')]);
  await expect(refused).rejects.toBeInstanceOf(StoreUnavailableError);
  await expect(refused).rejects.toThrow(/was the schema .* dropped.* open a new store/i);
  await store.close();
});
