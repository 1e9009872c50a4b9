import { type Dialect, TABLE_PREFIX, VIEW_PREFIX } from '../sql/dialect.ts';

/** SQLite's index for metadata filters. */
export const ABSENT_TABLE = 'metadata';

export interface PostgresDialect extends Dialect {
  readonly name: 'postgres';
  readonly schema: string;
}

/** Names are qualified everywhere, because behind a pooler nothing may depend on the search path. */
export function postgresDialect(schema: string): PostgresDialect {
  const quoted = quoteIdentifier(schema);
  return {
    name: 'postgres',
    schema,
    table: (name) => `${quoted}.${TABLE_PREFIX}${name}`,
    absentTable: ABSENT_TABLE,
    view: (name) => `${quoted}.${VIEW_PREFIX}${name}`,
  };
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
