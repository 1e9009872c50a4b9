import type { Migration } from '../../sql/port/migration.ts';

/**
 * Every commit and every lease of 3.0.0-alpha.1 names `lease_holder`: under its new name they fail instead of
 * writing rows that mean something else by now.
 */
export const alpha2: Migration = {
  id: 2,
  name: 'alpha-2',
  checksum: '9318ae924bb91bd77f036cce9851c3f9ccce8f4f1cd370605d92a3f4adb0df70',
  statements: [
    'ALTER TABLE {heads} RENAME COLUMN lease_holder TO lease_holder_id',
    'ALTER TABLE {heads} ADD COLUMN lease_by TEXT',
    'ALTER TABLE {heads} ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE {heads} ADD COLUMN retry_at INTEGER',
    'ALTER TABLE {heads} ADD COLUMN failure TEXT',
    'ALTER TABLE {tool_calls} ADD COLUMN long_id TEXT',
    'ALTER TABLE {tool_calls} ADD COLUMN long_name TEXT',
    'ALTER TABLE {agents} ADD COLUMN long_parent_call_id TEXT',
    'CREATE INDEX kode_heads_to_retry ON {heads} (retry_at, agent, tree) WHERE retry_at IS NOT NULL',
    // What is in it is gone with the step that it is of.
    'DROP TABLE {deltas}',
    `CREATE TABLE {deltas} (
  tree INTEGER NOT NULL,
  agent INTEGER NOT NULL,
  message_count INTEGER NOT NULL,
  piece INTEGER NOT NULL,
  payload TEXT NOT NULL,
  PRIMARY KEY (tree, agent, piece)
) WITHOUT ROWID`,
    'DROP VIEW {view sessions}',
    `CREATE VIEW {view sessions} AS SELECT
  d.agent_id AS agent_id,
  a.template_id AS template_id,
  a.user_id AS user_id,
  CASE h.status WHEN 0 THEN 'idle' WHEN 1 THEN 'running' WHEN 2 THEN 'awaiting_approval' WHEN 3 THEN 'interrupted' WHEN 4 THEN 'failed' END AS status,
  strftime('%Y-%m-%dT%H:%M:%fZ', a.created_at / 1000.0, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', h.updated_at / 1000.0, 'unixepoch') AS updated_at,
  a.config_version AS config_version,
  a.lineage AS lineage,
  a.parent_agent_id AS parent_agent_id,
  a.parent_tool_call_id AS parent_tool_call_id,
  h.message_count AS message_count,
  h.call_count AS tool_call_count,
  h.last_sfp_index AS last_sfp_index,
  h.bookmark_seq AS last_bookmark_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', h.bookmark_at / 1000.0, 'unixepoch') AS last_bookmark_at,
  h.breakpoint ->> '$' AS breakpoint,
  a.metadata AS metadata,
  h.version AS version,
  h.attempts AS attempts,
  strftime('%Y-%m-%dT%H:%M:%fZ', h.retry_at / 1000.0, 'unixepoch') AS retry_at,
  h.failure AS failure,
  coalesce(a.long_parent_call_id ->> '$', a.parent_tool_call_id) AS exact_parent_tool_call_id
FROM {agents} AS a
JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent
JOIN {heads} AS h ON h.tree = a.tree AND h.agent = a.agent`,
    'DROP VIEW {view tool_calls}',
    `CREATE VIEW {view tool_calls} AS SELECT
  d.agent_id AS agent_id,
  t.call_seq AS call_seq,
  t.tool_call_id AS tool_call_id,
  t.tool_name AS tool_name,
  CASE t.state WHEN 0 THEN 'pending' WHEN 1 THEN 'approval_required' WHEN 2 THEN 'approved' WHEN 3 THEN 'executing' WHEN 4 THEN 'denied' WHEN 5 THEN 'completed' WHEN 6 THEN 'failed' WHEN 7 THEN 'sealed' END AS state,
  t.is_error AS is_error,
  t.error ->> '$' AS error,
  t.input AS input,
  t.output AS output,
  t.message_seq AS message_seq,
  t.approval_required AS approval_required,
  CASE WHEN json_valid(t.approval) THEN t.approval ->> '$.decision' END AS approval_decision,
  CASE WHEN json_valid(t.approval) THEN t.approval ->> '$.decidedBy' END AS approval_decided_by,
  strftime('%Y-%m-%dT%H:%M:%fZ', CAST(CASE WHEN json_valid(t.approval) THEN t.approval ->> '$.decidedAt' END AS bigint) / 1000.0, 'unixepoch') AS approval_decided_at,
  CASE WHEN json_valid(t.approval) THEN t.approval ->> '$.note' END AS approval_note,
  strftime('%Y-%m-%dT%H:%M:%fZ', t.created_at / 1000.0, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', t.updated_at / 1000.0, 'unixepoch') AS updated_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', t.started_at / 1000.0, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', t.completed_at / 1000.0, 'unixepoch') AS completed_at,
  t.duration_ms AS duration_ms,
  t.audit AS audit_trail,
  coalesce(t.long_id ->> '$', t.tool_call_id) AS exact_tool_call_id,
  coalesce(t.long_name ->> '$', t.tool_name) AS exact_tool_name
FROM {tool_calls} AS t
JOIN {agents} AS a ON a.tree = t.tree AND a.agent = t.owner
JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent`,
  ],
};
