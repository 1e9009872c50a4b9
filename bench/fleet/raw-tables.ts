/**
 * What a program with the bare driver would have for the guide's queries: a table for each noun and the
 * index that each query wants. `{messages}` is a raw table, `{store.messages}` one of the store's.
 */
export const RAW_TABLES: readonly string[] = [
  `CREATE TABLE {agents} AS
     SELECT a.agent, a.agent_id, a.template_id, a.user_id, h.status, a.created_at, h.updated_at, a.config_version,
       a.lineage, h.message_count, h.last_sfp_index, h.version, a.metadata
     FROM {store.agents} AS a JOIN {store.heads} AS h ON h.tree = a.tree AND h.agent = a.agent ORDER BY a.agent`,
  `CREATE TABLE {messages} AS
     SELECT m.owner AS agent, m.seq, m.role, m.kinds, m.created_at, m.payload
     FROM {store.messages} AS m ORDER BY m.tree, m.branch, m.seq`,
  `CREATE TABLE {tool_calls} AS
     SELECT t.owner AS agent, t.call_seq, t.tool_call_id, t.tool_name, t.state, t.is_error, t.approval_required,
       t.message_seq, t.created_at, t.updated_at, t.started_at, t.completed_at, t.duration_ms, t.input, t.output,
       t.error, t.approval, t.audit
     FROM {store.tool_calls} AS t ORDER BY t.tree, t.branch, t.call_seq`,
];

export const RAW_INDEXES: readonly string[] = [
  'CREATE UNIQUE INDEX agents_key ON {agents} (agent)',
  'CREATE UNIQUE INDEX agents_id ON {agents} (agent_id)',
  'CREATE INDEX agents_template ON {agents} (template_id, created_at)',
  'CREATE INDEX agents_time ON {agents} (created_at)',
  'CREATE UNIQUE INDEX messages_key ON {messages} (agent, seq)',
  'CREATE INDEX messages_time ON {messages} (created_at)',
  'CREATE INDEX messages_role ON {messages} (role, created_at)',
  'CREATE INDEX messages_use ON {messages} (role, created_at) WHERE (kinds & 2) <> 0',
  'CREATE UNIQUE INDEX calls_key ON {tool_calls} (agent, call_seq)',
  'CREATE INDEX calls_tool ON {tool_calls} (tool_name, created_at)',
  'CREATE INDEX calls_failed ON {tool_calls} (tool_name, created_at) WHERE is_error = 1',
  'CREATE INDEX calls_approval ON {tool_calls} (created_at) WHERE approval_required = 1',
];

export function withTables(text: string, table: (name: string) => string): string {
  return text.replace(/\{([\w.]+)\}/g, (_match, name: string) => table(name));
}
