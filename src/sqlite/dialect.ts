import { type Dialect, TABLE_PREFIX, VIEW_PREFIX } from '../sql/port/dialect.ts';
import { type KeyRanges, keysOfRange, orderBy } from '../sql/port/key-ranges.ts';
import { type IndexName, indexName } from '../sql/schema/indexes.ts';
import { initial } from './migrations/0001-initial.ts';
import { alpha2 } from './migrations/0002-alpha-2.ts';

/** Of messages of one branch, one narrow index serves all roles and kinds: those of a commit are neighbours in it. */
const OTHERS_INDEXES = new Set<IndexName>([
  'branch_messages_text',
  'branch_messages_tool_use',
  'branch_messages_tool_result',
  'branch_messages_other',
]);

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  migrations: [initial, alpha2],
  table: (name) => TABLE_PREFIX + name,
  view: (name) => VIEW_PREFIX + name,
  hasTable: (name) => name !== 'metadata_jsonb',
  hasIndex: (name) => !OTHERS_INDEXES.has(name),

  readsAtOnce: false,
  worksApart: false,
  plansByLimits: false,
  countsInIndexes: true,

  // Bound by the driver, from its clock.
  now: '$now',
  least: (one, other) => `min(${one}, ${other})`,
  greatest: (one, other) => `max(${one}, ${other})`,
  // `sum` ends at 2^63 with an error; `total` is as exact below.
  sum: (column) => `total(${column})`,
  // So that plans don't depend on statistics.
  useIndex: (name) => `INDEXED BY ${indexName(name)}`,
  joinInOrder: 'CROSS JOIN',
  joinByKey: (table, alias, condition) => `CROSS JOIN {${table}} AS ${alias} ON ${condition}`,
  // A transaction that writes has the whole file.
  lockRow: () => '',
  rowsOfList(place, columns) {
    const values = Object.keys(columns).map((column, i) => `value ->> ${i} AS ${column}`);
    return `SELECT ${values.join(', ')} FROM json_each(${place})`;
  },
  // Queries side by side are read in the order of the whole by themselves.
  mergeRanges: (queries, end) => `${queries.join(' UNION ALL ')} ${end}`,
  pageOfKeys: (keys, { limit, offset }, bind) => {
    return `${allKeys(keys)} LIMIT ${bind(limit)} OFFSET ${bind(offset)}`;
  },
  rowsOfPage(keys, page, bind, { alias }) {
    const place = this.joinByKey(keys.table, alias, `${alias}.rowid = k.place`);
    return `(${this.pageOfKeys(keys, page, bind)}) AS k ${place}`;
  },
};

/** With the rows' places, from which they are fetched without a search for their key. */
function allKeys(keys: KeyRanges): string {
  const columns = [...keys.columns, 'rowid AS place'];
  const ranges = keys.ranges.map((range) =>
    keysOfRange({ ...keys, columns }, range, `INDEXED BY ${indexName(range.index)}`),
  );
  // To leave out what comes twice is to sort by every column.
  const sorted = orderBy(keys.overlapping ? [...keys.columns, 'place'] : keys.columns, keys.order);
  return `${ranges.join(keys.overlapping ? ' UNION ' : ' UNION ALL ')} ${sorted}`;
}
