import { type Dialect, TABLE_PREFIX, VIEW_PREFIX } from '../sql/dialect.ts';
import { initial } from './migrations/0001-initial.ts';
import { alpha2 } from './migrations/0002-alpha-2.ts';

/** SQLite's index for metadata filters. */
export const ABSENT_TABLE = 'metadata';

export interface PostgresDialect extends Dialect {
  readonly name: 'postgres';
  readonly schema: string;
}

/** The server's clock: one for all processes, and one that moves on within a transaction. */
const SERVER_CLOCK = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Names are qualified everywhere, because behind a pooler nothing may depend on the search path. */
export function postgresDialect(schema: string, now = SERVER_CLOCK): PostgresDialect {
  const quoted = quoteIdentifier(schema);
  return {
    name: 'postgres',
    schema,
    now,
    table: (name) => `${quoted}.${TABLE_PREFIX}${name}`,
    absentTable: ABSENT_TABLE,
    migrations: [initial, alpha2],
    view: (name) => `${quoted}.${VIEW_PREFIX}${name}`,
  };
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
