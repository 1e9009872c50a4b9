import type { ConsistencyIssue } from '../../store/store.ts';
import { text } from '../codec.ts';
import type { Driver } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { composed, type Statement, statement } from '../port/statement.ts';
import type { Row, SqlValue } from '../port/values.ts';
import { type TableName, table } from '../schema/tables.ts';
import { brokenTexts, COUNT_COLUMN, TEXT_COLUMNS } from './texts.ts';

/** Rows in one look: their texts may be large. */
const PAGE = 200;

const OF_AGENT = statement(
  'check_agent_of_payload',
  'SELECT agent_id FROM {agents} WHERE tree = $1 AND agent = $2',
);
const OF_BRANCH = statement(
  'check_agent_of_branch',
  `SELECT a.agent_id FROM {branches} b JOIN {agents} a ON a.tree = b.tree AND a.agent = b.agent
   WHERE b.tree = $1 AND b.branch = $2`,
);

/** A page of a table in the order of its key, wherever the rows belong. */
const PAGES = new Map<TableName, Statement>(
  (Object.entries(TEXT_COLUMNS) as [TableName, readonly string[]][]).map(([name, texts]) => {
    const key = table(name).key.join(', ');
    const params = table(name)
      .key.map((_column, i) => `$${i + 1}`)
      .join(', ');
    const count = COUNT_COLUMN[name];
    const columns = [...table(name).key, ...texts, ...(count ? [count] : [])].join(', ');
    const page = `SELECT ${columns} FROM {${name}} WHERE (${key}) > (${params}) ORDER BY ${key} LIMIT ${PAGE}`;
    return [name, composed(`check_every_${name}`, page)];
  }),
);

/**
 * Reads every row that has a JSON text, and tells of each that isn't one: table by table, so that one that can't be
 * read keeps nobody from the others. `onRows`: hears how many were read.
 */
export function* everyBrokenPayload(
  driver: Driver,
  onRows: (rows: number) => void,
): Generator<AsyncGenerator<ConsistencyIssue>> {
  for (const [name, page] of PAGES) yield ofTable(driver, name, page, onRows);
}

async function* ofTable(
  driver: Driver,
  name: TableName,
  page: Statement,
  onRows: (rows: number) => void,
): AsyncGenerator<ConsistencyIssue> {
  const { key, columns } = table(name);
  for (let after: SqlValue[] = key.map((column) => (columns[column] === 'name' ? '' : -1)); ; ) {
    const rows = await driver.analyse(() => run(page, after));
    onRows(rows.length);
    for (const row of rows) yield* ofRow(driver, name, row);
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = key.map((column) => last[column] ?? null);
  }
}

async function* ofRow(driver: Driver, name: TableName, row: Row): AsyncGenerator<ConsistencyIssue> {
  const { key } = table(name);
  const place = `${name} (${key.map((column) => `${column} ${row[column]}`).join(', ')})`;
  const found = [...brokenTexts(row, TEXT_COLUMNS[name] ?? [], place, COUNT_COLUMN[name])];
  if (found.length === 0) return;
  const owner = key.includes('branch') ? OF_BRANCH : OF_AGENT;
  const [agent] = await driver.read(owner, [row.tree ?? null, row[key[1] ?? ''] ?? null]);
  const agentId = agent ? text(agent.agent_id) : null;
  for (const issue of found) yield agentId === null ? issue : { agentId, ...issue };
}
