import type { Dialect } from '../../src/sql/port/dialect.ts';
import { INDEXES, type Index, type IndexName, indexName } from '../../src/sql/schema/indexes.ts';
import { type ColumnKind, TABLES, type Table, type TableName } from '../../src/sql/schema/tables.ts';

const POSTGRES_TYPES: Record<ColumnKind, string> = {
  key: 'bigint',
  int: 'bigint',
  small: 'smallint',
  real: 'double precision',
  instant: 'bigint',
  stamp: 'bigint',
  cursor: 'bigint',
  text: 'text',
  name: 'text COLLATE "C"',
  jsonb: 'jsonb',
};

/** SQLite keeps what it is given; its text compares by bytes unless told otherwise. */
function sqliteType(kind: ColumnKind): string {
  if (kind === 'real') return 'REAL';
  return kind === 'text' || kind === 'name' ? 'TEXT' : 'INTEGER';
}

function columnType(dialect: Dialect, kind: ColumnKind): string {
  return dialect.name === 'postgres' ? POSTGRES_TYPES[kind] : sqliteType(kind);
}

/** Columns that every row must have, beside those of the primary key. */
const REQUIRED: Record<string, readonly string[]> = {
  directory: ['tree', 'agent'],
  heads: [
    'branch',
    'version',
    'revision',
    'cursor',
    'pruned_cursor',
    'message_count',
    'call_count',
    'unlinked_calls',
    'unanswered_calls',
    'pending_approvals',
    'usage_count',
    'status',
    'updated_at',
    'last_at',
    'last_sfp_index',
    'lease_token',
    'watched_until',
    'attempts',
  ],
  agents: ['agent_id', 'template_id', 'created_at', 'config_version', 'lineage', 'metadata'],
  branches: ['agent', 'fork_seq', 'fork_call_seq', 'pinned', 'epoch', 'adopted'],
  messages: ['role', 'kinds', 'call_count', 'created_at', 'payload'],
  tool_calls: [
    'tool_call_id',
    'tool_name',
    'state',
    'is_error',
    'approval_required',
    'late',
    'created_at',
    'updated_at',
    'input',
    'approval',
    'audit',
  ],
  events: ['count', 'channels', 'created_at', 'payload'],
  deltas: ['message_count', 'payload'],
  todos: ['version', 'updated_at', 'payload'],
  usage: ['created_at', 'model'],
  snapshots: ['created_at', 'last_sfp_index'],
  compactions: ['position', 'upto', 'created_at', 'messages'],
  documents: ['created_at', 'updated_at', 'payload'],
  operations: ['fingerprint', 'version', 'message_count', 'cursor', 'created_at'],
  metadata_jsonb: ['document'],
};

/** Columns that came to tables with rows in them. */
const ADDED: Record<string, Record<string, string>> = { heads: { attempts: '0' } };

/**
 * Foreign keys only where they are free on the hot path: they say that nobody's history may be removed,
 * and neither column changes in a commit. A key from each message to its branch would cost every commit
 * a lock on the branch's row.
 */
const FOREIGN_KEYS: Record<string, string> = {
  branches: 'FOREIGN KEY (tree, parent) REFERENCES {branches} (tree, branch)',
  heads: 'FOREIGN KEY (tree, branch) REFERENCES {branches} (tree, branch)',
};

/** CREATE TABLE and CREATE INDEX statements of all tables, in order. */
export function createTables(dialect: Dialect): string[] {
  const statements: string[] = [];
  // Foreign keys need the table that they refer to.
  const { branches, ...others } = TABLES;
  const tables = Object.entries({ branches, ...others }) as [TableName, Table][];
  for (const [name, definition] of tables) {
    if (dialect.hasTable(name)) statements.push(createTable(dialect, name, definition));
  }
  for (const [name, index] of Object.entries(INDEXES) as [IndexName, Index][]) {
    if (!dialect.hasIndex(name)) continue;
    const where = index.where ? ` WHERE ${index.where}` : '';
    statements.push(
      `CREATE INDEX ${indexName(name)} ON ${dialect.table(index.table)} (${index.columns})${where}`,
    );
  }
  return statements;
}

function createTable(dialect: Dialect, name: string, definition: Table): string {
  const required = new Set([...definition.key, ...(REQUIRED[name] ?? [])]);
  const lines = Object.entries(definition.columns).map(([column, kind]) => {
    const added = ADDED[name]?.[column];
    const must = required.has(column) ? ' NOT NULL' : '';
    return `${column} ${columnType(dialect, kind)}${must}${added === undefined ? '' : ` DEFAULT ${added}`}`;
  });
  lines.push(`PRIMARY KEY (${definition.key.join(', ')})`);
  const foreign = FOREIGN_KEYS[name];
  if (foreign) lines.push(foreign.replace(/\{(\w+)\}/g, (_match, other: string) => dialect.table(other)));
  const clustered = definition.clustered && dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return `CREATE TABLE ${dialect.table(name)} (\n  ${lines.join(',\n  ')}\n)${clustered}`;
}
