import { SchemaVersionError } from '../../errors.ts';
import type { Dialect } from '../port/dialect.ts';
import { run, type Script } from '../port/driver.ts';
import type { Migration } from '../port/migration.ts';
import { composed, statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';

export const APPLIED = statement('applied_migrations', 'SELECT id, checksum FROM {migrations} ORDER BY id');

const RECORD = statement(
  'record_migration',
  'INSERT INTO {migrations} (id, name, checksum, applied_at) VALUES ($1, $2, $3, $4)',
);

/** True when nothing is to be done. Refuses a schema that this code doesn't know. */
export function isCurrent(applied: Row[], { migrations }: Dialect): boolean {
  for (const row of applied) {
    const migration = migrations[Number(row.id) - 1];
    if (!migration) {
      throw new SchemaVersionError(
        `The database's schema is at version ${applied.at(-1)?.id}, and this version of @shareai-lab/kode-sdk knows ${migrations.length}. Update the package; nothing was changed.`,
      );
    }
    if (row.checksum !== migration.checksum) {
      throw new SchemaVersionError(
        `Migration ${migration.id} ("${migration.name}") of this database isn't the one that this version of @shareai-lab/kode-sdk has: the database was made by another build. Use that build, or import the data into a new database.`,
      );
    }
  }
  return applied.length === migrations.length;
}

/**
 * Brings the schema up to date. Runs in one transaction under the driver's lock against others who do the
 * same; whoever waited for it finds nothing left to do.
 */
export function* migrate(dialect: Dialect, now: number): Script<void> {
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
  for (const { id, name, checksum, statements } of dialect.migrations.slice(applied.length)) {
    for (const text of statements) yield* run(statement(name, withViews(text, dialect)), []);
    yield* run(RECORD, [id, name, checksum, now]);
  }
}

function withViews(text: string, dialect: Pick<Dialect, 'view'>): string {
  return text.replace(/\{view (\w+)\}/g, (_match, name: string) => dialect.view(name));
}

/**
 * The text that a checksum is of. Names of schemas differ between databases and are no part of what a
 * migration is.
 */
export function checkedText({ statements }: Pick<Migration, 'statements'>): string {
  const neutral = withViews(statements.join(';\n'), { view: (name) => `view_${name}` });
  return neutral.replace(/\{(\w+)\}/g, (_match, name: string) => `table_${name}`);
}
