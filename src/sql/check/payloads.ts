import type { ConsistencyIssue } from '../../store/store.ts';
import { readState } from '../agent-state.ts';
import type { AgentKeys } from '../keys.ts';
import type { Driver } from '../port/driver.ts';
import { type Statement, statement } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { brokenTexts } from './texts.ts';

const PAGE = 200;

interface Source {
  readonly what: string;
  /** Columns with JSON texts. */
  readonly texts: readonly string[];
  /** The column that says how many items the text is an array of. */
  readonly count?: string;
  /** The column that pages go by; rows of one owner have it once. */
  readonly key: string;
  readonly first: SqlValue;
  readonly page: Statement;
}

function source(
  what: string,
  table: string,
  owner: 'agent' | 'branch',
  key: string,
  first: SqlValue,
  texts: string[],
  count?: string,
): Source {
  const columns = count === undefined ? texts : [count, ...texts];
  const page = statement(
    `check_payloads_of_${table}`,
    `SELECT ${key} AS page_key, ${columns.join(', ')} FROM {${table}}
     WHERE tree = $1 AND ${owner} = $2 AND ${key} > $3 ORDER BY ${key} LIMIT ${PAGE}`,
  );
  return { what, texts, key, first, page, ...(count === undefined ? {} : { count }) };
}

const OF_BRANCH = [
  source('message', 'messages', 'branch', 'seq', -1, ['payload']),
  source('tool call', 'tool_calls', 'branch', 'call_seq', -1, [
    'input',
    'output',
    'error',
    'approval',
    'audit',
    'long_id',
    'long_name',
  ]),
  source('compaction of version', 'compactions', 'branch', 'version', -1, ['messages', 'metadata']),
];
const OF_AGENT = [
  source('agent key', 'agents', 'agent', 'agent', -1, ['lineage', 'metadata']),
  source('head of agent key', 'heads', 'agent', 'agent', -1, ['breakpoint', 'failure', 'lease_by']),
  source('events up to', 'events', 'agent', 'cursor', -1, ['payload'], 'count'),
  source('to-dos version', 'todos', 'agent', 'version', -1, ['payload']),
  source('delta', 'deltas', 'agent', 'piece', -1, ['payload']),
  source('snapshot', 'snapshots', 'agent', 'snapshot_id', '', ['metadata', 'messages']),
];
/** Documents have a name of two parts; an agent has few of them. */
const DOCUMENTS = statement(
  'check_payloads_of_documents',
  'SELECT kind, name, payload FROM {documents} WHERE tree = $1 AND agent = $2',
);

/** Every stored JSON text of an agent that isn't one. */
export async function* brokenPayloads(driver: Driver, keys: AgentKeys): AsyncGenerator<ConsistencyIssue> {
  const state = await driver.snapshot(() => readState(keys));
  for (const segment of state?.chain ?? []) {
    for (const table of OF_BRANCH) yield* brokenRows(driver, table, [keys.tree, segment.branch]);
  }
  for (const table of OF_AGENT) yield* brokenRows(driver, table, [keys.tree, keys.agent]);
  for (const row of await driver.read(DOCUMENTS, [keys.tree, keys.agent])) {
    yield* brokenTexts(row, ['payload'], `document ${row.kind} "${row.name}"`);
  }
}

async function* brokenRows(
  driver: Driver,
  { what, texts, count, first, page }: Source,
  owner: SqlValue[],
): AsyncGenerator<ConsistencyIssue> {
  let after = first;
  for (;;) {
    const rows = await driver.read(page, [...owner, after]);
    for (const row of rows) yield* brokenTexts(row, texts, `${what} ${row.page_key}`, count);
    if (rows.length < PAGE) return;
    after = rows.at(-1)?.page_key ?? null;
  }
}
