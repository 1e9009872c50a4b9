import { SchemaVersionError } from '../errors.ts';
import { sha256 } from '../model/crypto.ts';
import type { Dialect } from './dialect.ts';
import { type Row, run, type Script } from './driver.ts';
import { initialSchema } from './schema/0001-initial.ts';
import { composed, statement } from './statement.ts';

interface Migration {
  readonly id: number;
  readonly name: string;
  statements(dialect: Dialect): string[];
}

/** In order. A released migration never changes: its checksum is recorded in every database. */
const MIGRATIONS: readonly Migration[] = [{ id: 1, name: 'initial', statements: initialSchema }];

const SCHEMA_VERSION = MIGRATIONS.length;

export const APPLIED = statement('applied_migrations', 'SELECT id, checksum FROM {migrations} ORDER BY id');

const RECORD = statement(
  'record_migration',
  'INSERT INTO {migrations} (id, name, checksum, applied_at) VALUES ($1, $2, $3, $4)',
);

function checksum(migration: Migration, dialect: Dialect): string {
  // Names of schemas differ between databases and are no part of what a migration is.
  const neutral: Dialect = { ...dialect, table: (name) => `table_${name}`, view: (name) => `view_${name}` };
  return sha256(migration.statements(neutral).join(';\n'));
}

/** True when nothing is to be done. Refuses a schema that this code doesn't know. */
export function isCurrent(applied: Row[], dialect: Dialect): boolean {
  for (const row of applied) {
    const migration = MIGRATIONS[Number(row.id) - 1];
    if (!migration) {
      throw new SchemaVersionError(
        `The database's schema is at version ${applied.at(-1)?.id}, and this version of @shareai-lab/kode-sdk knows ${SCHEMA_VERSION}. Update the package; nothing was changed.`,
      );
    }
    if (row.checksum !== checksum(migration, dialect)) {
      throw new SchemaVersionError(
        `Migration ${migration.id} ("${migration.name}") of this database isn't the one that this version of @shareai-lab/kode-sdk has: the database was made by another build. Use that build, or import the data into a new database.`,
      );
    }
  }
  return applied.length === MIGRATIONS.length;
}

/**
 * Brings the schema up to date. Runs in one transaction under the driver's lock against others who do the
 * same; whoever waited for it finds nothing left to do.
 */
export function* migrate(dialect: Dialect): Script<void> {
  yield* run(
    composed(
      'create_migrations',
      `CREATE TABLE IF NOT EXISTS {migrations} (
         id integer NOT NULL PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at bigint NOT NULL)`,
    ),
    [],
  );
  const applied = yield* run(APPLIED, []);
  if (isCurrent(applied, dialect)) return;
  for (const migration of MIGRATIONS.slice(applied.length)) {
    for (const text of migration.statements(dialect)) yield* run(statement(migration.name, text), []);
    yield* run(RECORD, [migration.id, migration.name, checksum(migration, dialect), Date.now()]);
  }
}
