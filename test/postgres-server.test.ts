import { existsSync } from 'node:fs';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { postgresDatabase } from './support/postgres-database.ts';
import { startPostgres } from './support/postgres-server.ts';

async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the environment of the tests', () => {
  it('names no database of the caller', () => {
    const names = Object.keys(process.env).filter((name) => /^(KODE_|POSTGRES_|PG[A-Z])/i.test(name));
    expect(names).toEqual([]);
  });
});

describe.each(['postgres15', 'postgres18'] as const)('the server %s of this run', (name) => {
  const database = postgresDatabase(name);

  it('is what its name says, unless the caller brought another', async () => {
    const { client } = await database();
    const { rows } = await client.query(
      `select current_setting('server_version_num')::int / 10000 as major, 'a' < 'B' as by_language,
              current_setting('TimeZone') as zone`,
    );
    const expected =
      name === 'postgres15'
        ? { major: 15, by_language: false, zone: 'UTC' }
        : { major: 18, by_language: true, zone: 'Asia/Kathmandu' };
    expect(rows).toEqual([inject(name).own ? expected : expect.anything()]);
  });

  it('gives each test a schema of its own', async () => {
    const { client, createSchema, dropSchema } = await database();
    const [first, second] = [await createSchema(), await createSchema()];
    expect(first).not.toBe(second);
    await client.query(`create table ${first}.things (id int)`);
    await dropSchema(first);
    await dropSchema(second);
    const { rows } = await client.query('select 1 from pg_namespace where nspname = any($1)', [
      [first, second],
    ]);
    expect(rows).toEqual([]);
  });
});

describe('a server of a test', () => {
  it('demands a password, syncs and takes settings when asked to; and leaves nothing behind', async () => {
    const server = await startPostgres({
      major: 18,
      password: 'sesam öffne/dich',
      durable: true,
      settings: { max_connections: '7' },
    });
    try {
      const settings = `select current_setting('fsync') as fsync, current_setting('max_connections') as max`;
      expect(await query(server.url, settings)).toEqual([{ fsync: 'on', max: '7' }]);
      const wrong = new URL(server.url);
      wrong.password = 'abrakadabra';
      await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
      expect(existsSync(server.folder)).toBe(true);
    } finally {
      await server.stop();
    }
    await expect(query(server.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(existsSync(server.folder)).toBe(false);
  });
});
