import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { SchemaVersionError, StoreConfigError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

async function setUp(): Promise<{
  schema: string;
  with(query: string): string;
  hasTables(): Promise<boolean>;
}> {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  return {
    schema,
    with: (query) => `${url}?${query}`,
    async hasTables() {
      const { rows } = await client.query('select to_regclass($1) as heads', [`${schema}.kode_data_heads`]);
      return rows[0]?.heads !== null;
    },
  };
}

describe('P3 a schema that the connection names', () => {
  it.each([
    (schema: string) => `schema=${schema}`,
    (schema: string) => `currentSchema=${schema}`,
    (schema: string) => `search_path=${schema}`,
    (schema: string) => `options=-c%20search_path%3D${schema}`,
    (schema: string) => `options=--search_path%3D%22${schema}%22`,
  ])('in its URL is the one of the store (%#)', async (query) => {
    const { schema, with: withQuery, hasTables } = await setUp();
    const store = opened(new PostgresStore(withQuery(query(schema))));
    expect(await store.list()).toEqual([]);
    expect(await hasTables()).toBe(true);
  });

  it('in the options of a pool is the one of the store', async () => {
    const { schema, with: withQuery, hasTables } = await setUp();
    const pool = new pg.Pool({
      connectionString: withQuery(''),
      options: `-c search_path=${schema}`,
      max: 1,
    });
    opened({ close: () => pool.end() });
    const store = opened(new PostgresStore(pool));
    expect(await store.list()).toEqual([]);
    expect(await hasTables()).toBe(true);
  });

  it('in KODE_POSTGRES_SCHEMA is the one of the factory, unless the URL names another', async () => {
    const { schema, with: withQuery, hasTables } = await setUp();
    const before = process.env.KODE_POSTGRES_SCHEMA;
    try {
      process.env.KODE_POSTGRES_SCHEMA = 'another';
      const connection = withQuery(`schema=${schema}`);
      opened(await createExtendedStore({ type: 'postgres', connection }));
      process.env.KODE_POSTGRES_SCHEMA = schema;
      opened(await createExtendedStore({ type: 'postgres', connection: withQuery('') }));
    } finally {
      if (before === undefined) delete process.env.KODE_POSTGRES_SCHEMA;
      else process.env.KODE_POSTGRES_SCHEMA = before;
    }
    expect(await hasTables()).toBe(true);
  });

  it.each([
    ['?search_path=a,b', 'search_path=a,b', undefined],
    [
      '?options=-c search_path="$user",public',
      'options=-c%20search_path%3D%22%24user%22%2Cpublic',
      undefined,
    ],
    ['?schema=a and ?currentSchema=b', 'schema=a&currentSchema=b', undefined],
    ['?schema=a beside the option schema: "b"', 'schema=a', 'b'],
    ['?schema=pg_temp', 'schema=pg_temp', undefined],
  ])('is refused where it is not clear: %s', (_name, query, schema) => {
    const create = () =>
      new PostgresStore(`postgres://nobody@localhost/nothing?${query}`, undefined, { schema });
    expect(create).toThrow(StoreConfigError);
    expect(create).toThrow(/schema/);
  });

  it('A5 that PostgreSQL keeps for itself is refused as such', () => {
    for (const schema of ['pg_agents', 'pg_catalog', 'information_schema']) {
      const create = () => new PostgresStore('postgres://nobody@localhost/nothing', undefined, { schema });
      expect(create).toThrow(/options\.schema is ".*begin with "pg_"/);
    }
    expect(() => new PostgresStore({ port: '5432' as never })).toThrow(/the string "5432".*must be a number/);
  });
});

describe('H3 a schema with tables of others', () => {
  const TABLES_OF_2_7 = `
    create table agents (agent_id text primary key, template_id text, created_at timestamp, config_version text,
      lineage jsonb, message_count integer, last_sfp_index integer, last_bookmark jsonb, breakpoint text, metadata jsonb);
    create table messages (id text, agent_id text, role text, content jsonb, seq integer, metadata jsonb, created_at bigint);
    create table snapshots (agent_id text, snapshot_id text, messages jsonb, last_sfp_index integer);
    create table tool_calls (id text, agent_id text, name text, input jsonb, state text, audit_trail jsonb);`;

  it('is refused if they are those of 2.7, and nothing is changed', async () => {
    const { schema, with: withQuery, hasTables } = await setUp();
    const { client } = await database();
    await client.query(`set search_path = ${schema}; ${TABLES_OF_2_7} reset search_path`);
    const store = opened(new PostgresStore(withQuery(`schema=${schema}`)));
    const error = await store.list().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SchemaVersionError);
    expect((error as Error).message).toMatch(/KODE SDK 2\.7.*kode migrate.*a later version/);
    expect(await hasTables()).toBe(false);
  });

  it('is shared with an application, whatever it calls its tables', async () => {
    const { schema, with: withQuery, hasTables } = await setUp();
    const { client } = await database();
    for (const table of ['agents', 'messages', 'snapshots', 'tool_calls']) {
      await client.query(`create table ${schema}.${table} (id int, agent_id text)`);
    }
    const store = opened(new PostgresStore(withQuery(`schema=${schema}`)));
    expect(await store.list()).toEqual([]);
    expect(await hasTables()).toBe(true);
  });
});
