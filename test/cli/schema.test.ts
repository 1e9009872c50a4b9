import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { kodeJson, spawnKodeJson } from './kode.ts';

const database = postgresDatabase('postgres18');
let folder = '';

beforeAll(async () => {
  folder = await makeTemporaryDirectory();
});
afterAll(() => removeDirectory(folder));

describe('P3 the command line reads the schema', () => {
  it('that --schema names, else the URL, else KODE_POSTGRES_SCHEMA', async () => {
    const { url, createSchema, dropSchema } = await database();
    const [first, second] = [await createSchema(), await createSchema()];
    for (const schema of [first, second]) {
      await using store = new PostgresStore({ connectionString: url, max: 1 }, undefined, { schema });
      await createAgent(store, `of ${schema}`, [user('x')]);
    }
    const only = (schema: string) => [{ agentId: `of ${schema}` }];
    const sessions = ['sessions', '--url'];
    expect(await kodeJson([...sessions, url, '--schema', first])).toMatchObject(only(first));
    expect(await kodeJson([...sessions, `${url}?schema=${second}`])).toMatchObject(only(second));
    const env = { KODE_POSTGRES_SCHEMA: first };
    expect(await spawnKodeJson([...sessions, url], folder, env)).toMatchObject(only(first));
    for (const schema of [first, second]) await dropSchema(schema);
  });
});
