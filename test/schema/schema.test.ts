import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/model/crypto.ts';
import { postgresDialect } from '../../src/postgres/dialect.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { checkedText } from '../../src/sql/schema/migrate.ts';
import { sqliteDialect } from '../../src/sqlite/dialect.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { inTemporaryDirectory } from '../support/temporary.ts';
import { definedSchema } from './definitions.ts';
import { dumpPostgres } from './dump-postgres.ts';
import { dumpSqlite } from './dump-sqlite.ts';

/** What databases that 3.0.0-alpha.1 made have on record. */
const RECORDED = {
  sqlite: ['01232868b4f61edb249ff54acaf47c83fb33a19a866b1ad69e4715dcb2b7e850'],
  postgres: ['e95d315f9f7a17c8c276e74ab6110b71b4d755b15c981f93ecca97da4a30dbd2'],
};

describe.each([
  ['sqlite', sqliteDialect],
  ['postgres', postgresDialect('public')],
] as const)('V1 the migrations of %s', (name, { migrations }) => {
  it('are numbered without a gap', () => {
    expect(migrations.map(({ id }) => id)).toEqual(migrations.map((_migration, i) => i + 1));
  });

  it('have the text that their checksums are of', () => {
    const checksums = migrations.map((migration) => sha256(checkedText(migration)));
    expect(checksums).toEqual(migrations.map(({ checksum }) => checksum));
  });

  it('are, where released, the ones that databases have on record', () => {
    expect(migrations.map(({ checksum }) => checksum).slice(0, RECORDED[name].length)).toEqual(
      RECORDED[name],
    );
  });
});

describe('V1 a new database', () => {
  it('is what the code defines, on SQLite', async () => {
    const defined = new Database(':memory:');
    for (const statement of definedSchema(sqliteDialect)) defined.exec(statement);
    const made = await inTemporaryDirectory(async (directory) => {
      const store = new SqliteStore(`${directory}/agents.db`);
      await store.open();
      await store.close();
      const db = new Database(`${directory}/agents.db`);
      const dump = dumpSqlite(db);
      db.close();
      return dump;
    });
    const migrations = /^TABLE kode_data_migrations\n(?: {2}.*\n)*\n/m;
    expect(made.replace(migrations, '')).toBe(dumpSqlite(defined));
    defined.close();
    await expect(made).toMatchFileSnapshot('./sqlite.schema');
  });

  const database = postgresDatabase('postgres18');
  it('is what the code defines, on PostgreSQL', async () => {
    const { client, url, createSchema } = await database();
    const [expected, actual] = [await createSchema(), await createSchema()];
    for (const statement of definedSchema(postgresDialect(expected))) await client.query(statement);
    const store = new PostgresStore({ connectionString: url }, undefined, { schema: actual });
    await store.open();
    await store.close();
    const made = await dumpPostgres(client, actual);
    const ofMigrations = (part: string) => !part.includes('kode_data_migrations');
    const defined = await dumpPostgres(client, expected);
    expect(made.trimEnd().split('\n\n').filter(ofMigrations)).toEqual(defined.trimEnd().split('\n\n'));
    await expect(made).toMatchFileSnapshot('./postgres.schema');
  });
});
