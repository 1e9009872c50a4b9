import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { BROKEN_TEXTS, fillForChecks, TAMPERINGS } from '../support/tampering.ts';

const database = postgresDatabase('postgres15');

let store: PostgresStore;
let schema: string;
/** Brings the tables back to how they were filled. */
let restore: string;

beforeAll(async () => {
  const { url, client, createSchema } = await database();
  schema = await createSchema();
  store = new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
  await fillForChecks(store);
  const keys = await client.query(
    `select format('alter table %s drop constraint %I', conrelid::regclass, conname) as sql
     from pg_constraint where contype = 'f' and connamespace = $1::regnamespace`,
    [schema],
  );
  const tables = await client.query(`select tablename as name from pg_tables where schemaname = $1`, [
    schema,
  ]);
  const names = tables.rows.map(({ name }) => `${schema}.${name}`);
  for (const { sql } of keys.rows) await client.query(sql);
  for (const name of names) await client.query(`create table ${name}_copy as table ${name}`);
  const refill = names.map((name) => `insert into ${name} table ${name}_copy`);
  restore = [`truncate ${names.join(', ')}`, ...refill].join(';');
});

afterAll(async () => {
  await store.close();
  await (await database()).dropSchema(schema);
});

async function tamper(sql: string): Promise<void> {
  const { client } = await database();
  await client.query(`${restore}; set search_path = ${schema}; ${sql}; reset search_path`);
}

async function rulesOf(agentId?: string): Promise<string[]> {
  return (await store.checkConsistency(agentId)).issues.map((issue) => issue.rule);
}

describe('the check of a PostgreSQL database', () => {
  it('finds nothing in a sound one', async () => {
    await tamper('select 1');
    expect(await rulesOf()).toEqual([]);
    for (const id of await store.list()) expect(await rulesOf(id)).toEqual([]);
  });

  it.each(TAMPERINGS)('finds $what ($rule)', async ({ rule, sql, agent }) => {
    await tamper(sql);
    expect(await rulesOf()).toContain(rule);
    if (agent !== undefined) expect(await rulesOf(agent)).toContain(rule);
  });

  it.each(BROKEN_TEXTS)('H1 finds $what where texts are read', async ({ rule, sql, agent }) => {
    await tamper(sql);
    expect(await rulesOf(agent)).toEqual([rule]);
    const { issues } = await store.checkConsistency({ level: 'full' });
    expect(new Set(issues.map((issue) => issue.rule))).toEqual(new Set([rule]));
    expect(issues.map((issue) => issue.agentId)).toContain(agent);
  });
});
