import type { Dialect } from '../../src/sql/port/dialect.ts';
import { ROLE_CODES, STATE_CODES, STATUS_CODES } from '../../src/sql/schema/tables.ts';

/**
 * The documented views (docs/reference/sql-views.md), for people who query with SQL: words in place of
 * codes, timestamps in place of milliseconds, each stored row once, under its owner.
 */
export function createViews(dialect: Dialect): string[] {
  const sql = dialect.name === 'postgres' ? postgresValues(dialect) : SQLITE_VALUES;
  return [
    ...sql.functions,
    view(
      dialect,
      'sessions',
      sessionColumns(sql),
      ['{agents} AS a', OF_DIRECTORY, ...sql.metadataJoin],
      HEADS,
    ),
    view(dialect, 'messages', messageColumns(sql), ['{messages} AS m', ofOwner('m'), OF_DIRECTORY]),
    view(dialect, 'tool_calls', callColumns(sql), ['{tool_calls} AS t', ofOwner('t'), OF_DIRECTORY]),
  ];
}

/** How a database writes the values of a view's columns. */
interface Values {
  functions: string[];
  instant(column: string): string;
  json(column: string): string;
  /** The value of a key of a JSON object; the whole text, as a JSON string, if it can't be read. */
  jsonField(column: string, key: string): string;
  optionalJsonField(column: string, key: string): string;
  textField(column: string, key: string): string;
  /** A string that is stored as JSON text. */
  jsonText(column: string): string;
  flag(column: string): string;
  metadata: string;
  metadataJoin: string[];
}

const HEADS = 'JOIN {heads} AS h ON h.tree = a.tree AND h.agent = a.agent';
/** Ids are looked up in the directory, whose key they are. */
const OF_DIRECTORY =
  'JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent';

function ofOwner(row: string): string {
  return `JOIN {agents} AS a ON a.tree = ${row}.tree AND a.agent = ${row}.owner`;
}

function view(
  dialect: Dialect,
  name: string,
  columns: Record<string, string>,
  ...from: (string | string[])[]
): string {
  const list = Object.entries(columns).map(([column, value]) => `${value} AS ${column}`);
  const text = `SELECT\n  ${list.join(',\n  ')}\nFROM ${from.flat().join('\n')}`;
  const tables = text.replace(/\{(\w+)\}/g, (_match, table: string) => dialect.table(table));
  return `CREATE VIEW ${dialect.view(name)} AS ${tables}`;
}

function word(column: string, codes: Record<string, number>): string {
  const cases = Object.entries(codes).map(([name, code]) => `WHEN ${code} THEN '${name}'`);
  return `CASE ${column} ${cases.join(' ')} END`;
}

/** The text itself, where an index has its digest only. */
function exact(sql: Values, long: string, indexed: string): string {
  return `coalesce(${sql.jsonText(long)}, ${indexed})`;
}

function sessionColumns(sql: Values): Record<string, string> {
  return {
    agent_id: 'd.agent_id',
    template_id: 'a.template_id',
    user_id: 'a.user_id',
    status: word('h.status', STATUS_CODES),
    created_at: sql.instant('a.created_at'),
    updated_at: sql.instant('h.updated_at'),
    config_version: 'a.config_version',
    lineage: sql.json('a.lineage'),
    parent_agent_id: 'a.parent_agent_id',
    parent_tool_call_id: 'a.parent_tool_call_id',
    message_count: 'h.message_count',
    tool_call_count: 'h.call_count',
    last_sfp_index: 'h.last_sfp_index',
    last_bookmark_seq: 'h.bookmark_seq',
    last_bookmark_at: sql.instant('h.bookmark_at'),
    breakpoint: sql.jsonText('h.breakpoint'),
    metadata: sql.metadata,
    version: 'h.version',
    attempts: 'h.attempts',
    retry_at: sql.instant('h.retry_at'),
    failure: sql.json('h.failure'),
    exact_parent_tool_call_id: exact(sql, 'a.long_parent_call_id', 'a.parent_tool_call_id'),
  };
}

function messageColumns(sql: Values): Record<string, string> {
  return {
    agent_id: 'd.agent_id',
    seq: 'm.seq',
    role: word('m.role', ROLE_CODES),
    content: sql.jsonField('m.payload', 'content'),
    metadata: sql.optionalJsonField('m.payload', 'metadata'),
    created_at: sql.instant('m.created_at'),
  };
}

function callColumns(sql: Values): Record<string, string> {
  return {
    agent_id: 'd.agent_id',
    call_seq: 't.call_seq',
    tool_call_id: 't.tool_call_id',
    tool_name: 't.tool_name',
    state: word('t.state', STATE_CODES),
    is_error: sql.flag('t.is_error'),
    error: sql.jsonText('t.error'),
    input: sql.json('t.input'),
    output: sql.json('t.output'),
    message_seq: 't.message_seq',
    approval_required: sql.flag('t.approval_required'),
    approval_decision: sql.textField('t.approval', 'decision'),
    approval_decided_by: sql.textField('t.approval', 'decidedBy'),
    approval_decided_at: sql.instant(`CAST(${sql.textField('t.approval', 'decidedAt')} AS bigint)`),
    approval_note: sql.textField('t.approval', 'note'),
    created_at: sql.instant('t.created_at'),
    updated_at: sql.instant('t.updated_at'),
    started_at: sql.instant('t.started_at'),
    completed_at: sql.instant('t.completed_at'),
    duration_ms: 't.duration_ms',
    audit_trail: sql.json('t.audit'),
    exact_tool_call_id: exact(sql, 't.long_id', 't.tool_call_id'),
    exact_tool_name: exact(sql, 't.long_name', 't.tool_name'),
  };
}

/** JSON is text here, exactly as it was saved; SQLite reads up to 1,000 levels of it. */
const SQLITE_VALUES: Values = {
  functions: [],
  instant: (column) => `strftime('%Y-%m-%dT%H:%M:%fZ', ${column} / 1000.0, 'unixepoch')`,
  json: (column) => column,
  jsonField: (column, key) =>
    `CASE WHEN json_valid(${column}) THEN ${column} -> '$.${key}' ELSE json_quote(${column}) END`,
  optionalJsonField: (column, key) => `CASE WHEN json_valid(${column}) THEN ${column} -> '$.${key}' END`,
  textField: (column, key) => `CASE WHEN json_valid(${column}) THEN ${column} ->> '$.${key}' END`,
  jsonText: (column) => `${column} ->> '$'`,
  flag: (column) => column,
  metadata: 'a.metadata',
  metadataJoin: [],
};

/** JSONB; what JSONB refuses (NUL, lone surrogates) comes as a JSON string of the exact text. */
function postgresValues(dialect: Dialect): Values {
  const toJsonb = dialect.view('jsonb');
  return {
    functions: [
      `CREATE FUNCTION ${toJsonb}(source text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS
       $$ BEGIN RETURN source::jsonb; EXCEPTION WHEN OTHERS THEN RETURN to_jsonb(source); END $$`,
    ],
    instant: (column) => `to_timestamp(${column} / 1000.0)`,
    json: (column) => `${toJsonb}(${column})`,
    jsonField: (column, key) => `coalesce(${toJsonb}(${column}) -> '${key}', ${toJsonb}(${column}))`,
    optionalJsonField: (column, key) => `${toJsonb}(${column}) -> '${key}'`,
    textField: (column, key) => `${toJsonb}(${column}) ->> '${key}'`,
    jsonText: (column) => `${toJsonb}(${column}) #>> '{}'`,
    flag: (column) => `(${column} = 1)`,
    // The document that metadata filters use, so that a filter with @> is served by its index.
    metadata: 'j.document',
    metadataJoin: ['JOIN {metadata_jsonb} AS j ON j.tree = a.tree AND j.agent = a.agent'],
  };
}
