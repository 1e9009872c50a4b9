import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '../../src/sql/port/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { OpenPostgresStore, OpenSqliteStore } from './stores.ts';

/** Rows that are no tree's: public ids, SQLite's index of metadata, and what the schema keeps of itself. */
const OF_NO_TREE = ['directory', 'keys', 'metadata', 'migrations'];

const OPENERS: Record<string, () => Promise<{ driver: Driver; close(): Promise<void> }>> = {
  async sqlite() {
    const store = new OpenSqliteStore(':memory:');
    const engine = await store.engine();
    return { driver: engine.context.driver, close: () => engine.close() };
  },
  async postgres() {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new OpenPostgresStore(url, undefined, { schema });
    const engine = await store.engine();
    return {
      driver: engine.context.driver,
      async close() {
        await engine.close();
        await dropSchema(schema);
      },
    };
  },
};
const database = postgresDatabase('postgres18');

/** The first column of each table's primary key. */
const FIRST_OF_KEYS = statement('first_of_keys', ({ name }) =>
  name === 'sqlite'
    ? `SELECT t.name, (SELECT c.name FROM pragma_table_info(t.name) c WHERE c.pk = 1) AS first
    FROM sqlite_master t WHERE t.type = 'table' AND t.name LIKE 'kode_data_%'`
    : `SELECT t.relname AS name, (SELECT a.attname FROM pg_index i
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = t.oid AND i.indisprimary)::text AS first
    FROM pg_class t WHERE t.relkind = 'r' AND t.relname LIKE 'kode_data_%'
      AND t.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = '{heads}'::regclass)`,
);

describe.each(Object.entries(OPENERS))('primary keys on %s', (_name, open) => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  it("begin with the tree's, so that tables can be distributed by it", async () => {
    const tables = await opened.driver.read(FIRST_OF_KEYS, []);
    expect(tables.length).toBeGreaterThan(12);
    const others = tables
      .filter(({ first }) => first !== 'tree')
      .map(({ name }) => String(name).replace('kode_data_', ''))
      .filter((name) => !OF_NO_TREE.includes(name));
    expect(others).toEqual([]);
  });
});
