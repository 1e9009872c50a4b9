import { type Dialect, TABLE_PREFIX, VIEW_PREFIX } from '../sql/dialect.ts';

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
    absentTable: 'metadata',
    view: (name) => `${quoted}.${VIEW_PREFIX}${name}`,
  };
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
