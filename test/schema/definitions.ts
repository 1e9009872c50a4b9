import type { Dialect } from '../../src/sql/port/dialect.ts';
import { KEY_BLOCK } from '../../src/sql/port/driver.ts';
import { createTables } from './ddl.ts';
import { createViews } from './views.ts';

/**
 * The schema as the code defines it today: what all migrations together must come to. Whoever changes a table,
 * an index or a view finds the text for the next migration here.
 */
export function definedSchema(dialect: Dialect): string[] {
  return [
    ...keySource(dialect),
    ...createTables(dialect),
    ...metadataIndex(dialect),
    ...createViews(dialect),
  ];
}

/** Where integer keys come from, in blocks that a process uses up on its own. */
function keySource(dialect: Dialect): string[] {
  if (dialect.name === 'postgres')
    return [`CREATE SEQUENCE ${dialect.table('keys')} INCREMENT BY ${KEY_BLOCK}`];
  return [
    `CREATE TABLE ${dialect.table('keys')} (next INTEGER NOT NULL)`,
    `INSERT INTO ${dialect.table('keys')} (next) VALUES (1)`,
  ];
}

function metadataIndex(dialect: Dialect): string[] {
  if (dialect.name !== 'postgres') return [];
  return [
    `CREATE INDEX kode_metadata_document ON ${dialect.table('metadata_jsonb')} USING gin (document jsonb_path_ops)`,
  ];
}
