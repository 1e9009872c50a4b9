import { type Dialect, type RowLock, TABLE_PREFIX, VIEW_PREFIX } from '../sql/port/dialect.ts';
import { firstKeys, orderBy } from '../sql/port/key-ranges.ts';
import type { IndexName } from '../sql/schema/indexes.ts';
import type { TableName } from '../sql/schema/tables.ts';
import { initial } from './migrations/0001-initial.ts';
import { alpha2 } from './migrations/0002-alpha-2.ts';

export interface PostgresDialect extends Dialect {
  readonly name: 'postgres';
  readonly schema: string;
}

/** A table of rows that JSONB under an index stands for. */
export const ABSENT_TABLE: TableName = 'metadata';
/** Long payloads lie apart from their rows: the primary key serves as well. */
const OTHERS_INDEXES = new Set<IndexName>(['branch_messages', 'branch_messages_system', 'branch_calls']);

/** The server's clock: one for all processes, and one that moves on within a transaction. */
const SERVER_CLOCK = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Names are qualified everywhere, because behind a pooler nothing may depend on the search path. */
export function postgresDialect(schema: string, now = SERVER_CLOCK): PostgresDialect {
  const quoted = quoteIdentifier(schema);
  return {
    name: 'postgres',
    schema,
    migrations: [initial, alpha2],
    table: (name) => `${quoted}.${TABLE_PREFIX}${name}`,
    view: (name) => `${quoted}.${VIEW_PREFIX}${name}`,
    hasTable: (name) => name !== ABSENT_TABLE,
    hasIndex: (name) => !OTHERS_INDEXES.has(name),

    readsAtOnce: true,
    worksApart: true,
    plansByLimits: true,
    countsInIndexes: false,

    now,
    least: (one, other) => `least(${one}, ${other})`,
    greatest: (one, other) => `greatest(${one}, ${other})`,
    sum: (column) => `coalesce(sum(${column}), 0)`,
    // There are no words for it; statistics are kept by the server.
    useIndex: () => '',
    joinInOrder: 'JOIN',
    // It doesn't look into a subquery with an OFFSET.
    joinByKey: (table, alias, condition, lock) =>
      `CROSS JOIN LATERAL (SELECT * FROM {${table}} AS ${alias} WHERE ${condition} OFFSET 0${lock ? ` ${lockRow(lock)}` : ''}) AS ${alias}`,
    lockRow,
    rowsOfList(place, columns) {
      const values = Object.entries(columns).map(
        ([column, type], i) => `(value ->> ${i})::${type} AS ${column}`,
      );
      return `SELECT ${values.join(', ')} FROM json_array_elements(${place}::json) AS list (value)`;
    },
    mergeRanges: (queries, end) =>
      `${queries.map((query) => `(${query} ${end})`).join(' UNION ALL ')} ${end}`,
    pageOfKeys(keys, { limit, offset }, bind) {
      const sorted = orderBy(keys.columns, keys.order);
      const page = `LIMIT ${bind(limit)} OFFSET ${bind(offset)}`;
      return `SELECT * FROM (${firstKeys(keys, limit + offset)}) AS first_rows ${sorted} ${page}`;
    },
    rowsOfPage(keys, page, bind, { alias, key }) {
      // An entry of an index leads to its row: where one range has all rows and none is skipped, searching for
      // them a second time would cost more the larger the table is.
      if (keys.ranges.length === 1 && page.offset === 0) {
        return `(${this.pageOfKeys({ ...keys, whole: true }, page, bind)}) AS ${alias}`;
      }
      return `(${this.pageOfKeys(keys, page, bind)}) AS k ${this.joinByKey(keys.table, alias, key)}`;
    },
  };
}

const LOCKS = { use: 'FOR UPDATE', changes: 'FOR NO KEY UPDATE', removal: 'FOR KEY SHARE' } as const;

function lockRow({ against, of, skipLocked }: RowLock): string {
  return `${LOCKS[against]}${of ? ` OF ${of}` : ''}${skipLocked ? ' SKIP LOCKED' : ''}`;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
