import type { Migration } from '../../sql/port/migration.ts';

/**
 * Every commit and every lease of 3.0.0-alpha.1 names `lease_holder`: under its new name they fail instead of
 * writing rows that mean something else by now.
 */
export const alpha2: Migration = {
  id: 2,
  name: 'alpha-2',
  checksum: '50f9ccac1e7d2d59275213ac4c112284d748b5bfd6bc71dbbd1483740499349b',
  statements: [
    'ALTER TABLE {heads} RENAME COLUMN lease_holder TO lease_holder_id',
    'ALTER TABLE {heads} ADD COLUMN lease_by text',
    'ALTER TABLE {heads} ADD COLUMN attempts bigint NOT NULL DEFAULT 0',
    'ALTER TABLE {heads} ADD COLUMN retry_at bigint',
    'ALTER TABLE {heads} ADD COLUMN failure text',
    'ALTER TABLE {tool_calls} ADD COLUMN long_id text',
    'ALTER TABLE {tool_calls} ADD COLUMN long_name text',
    'ALTER TABLE {agents} ADD COLUMN long_parent_call_id text',
    'CREATE INDEX kode_heads_to_retry ON {heads} (retry_at, agent, tree) WHERE retry_at IS NOT NULL',
    // What is in it is gone with the step that it is of.
    // And not made anew: whoever was granted rights on it keeps them.
    'TRUNCATE {deltas}',
    'ALTER TABLE {deltas} DROP CONSTRAINT kode_data_deltas_pkey',
    'ALTER TABLE {deltas} RENAME COLUMN sequence TO piece',
    'ALTER TABLE {deltas} ADD PRIMARY KEY (tree, agent, piece)',
    `CREATE OR REPLACE VIEW {view sessions} AS SELECT
  d.agent_id AS agent_id,
  a.template_id AS template_id,
  a.user_id AS user_id,
  CASE h.status WHEN 0 THEN 'idle' WHEN 1 THEN 'running' WHEN 2 THEN 'awaiting_approval' WHEN 3 THEN 'interrupted' WHEN 4 THEN 'failed' END AS status,
  to_timestamp(a.created_at / 1000.0) AS created_at,
  to_timestamp(h.updated_at / 1000.0) AS updated_at,
  a.config_version AS config_version,
  {view jsonb}(a.lineage) AS lineage,
  a.parent_agent_id AS parent_agent_id,
  a.parent_tool_call_id AS parent_tool_call_id,
  h.message_count AS message_count,
  h.call_count AS tool_call_count,
  h.last_sfp_index AS last_sfp_index,
  h.bookmark_seq AS last_bookmark_seq,
  to_timestamp(h.bookmark_at / 1000.0) AS last_bookmark_at,
  {view jsonb}(h.breakpoint) #>> '{}' AS breakpoint,
  j.document AS metadata,
  h.version AS version,
  h.attempts AS attempts,
  to_timestamp(h.retry_at / 1000.0) AS retry_at,
  {view jsonb}(h.failure) AS failure,
  coalesce({view jsonb}(a.long_parent_call_id) #>> '{}', a.parent_tool_call_id) AS exact_parent_tool_call_id
FROM {agents} AS a
JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent
JOIN {metadata_jsonb} AS j ON j.tree = a.tree AND j.agent = a.agent
JOIN {heads} AS h ON h.tree = a.tree AND h.agent = a.agent`,
    `CREATE OR REPLACE VIEW {view tool_calls} AS SELECT
  d.agent_id AS agent_id,
  t.call_seq AS call_seq,
  t.tool_call_id AS tool_call_id,
  t.tool_name AS tool_name,
  CASE t.state WHEN 0 THEN 'pending' WHEN 1 THEN 'approval_required' WHEN 2 THEN 'approved' WHEN 3 THEN 'executing' WHEN 4 THEN 'denied' WHEN 5 THEN 'completed' WHEN 6 THEN 'failed' WHEN 7 THEN 'sealed' END AS state,
  (t.is_error = 1) AS is_error,
  {view jsonb}(t.error) #>> '{}' AS error,
  {view jsonb}(t.input) AS input,
  {view jsonb}(t.output) AS output,
  t.message_seq AS message_seq,
  (t.approval_required = 1) AS approval_required,
  {view jsonb}(t.approval) ->> 'decision' AS approval_decision,
  {view jsonb}(t.approval) ->> 'decidedBy' AS approval_decided_by,
  to_timestamp(CAST({view jsonb}(t.approval) ->> 'decidedAt' AS bigint) / 1000.0) AS approval_decided_at,
  {view jsonb}(t.approval) ->> 'note' AS approval_note,
  to_timestamp(t.created_at / 1000.0) AS created_at,
  to_timestamp(t.updated_at / 1000.0) AS updated_at,
  to_timestamp(t.started_at / 1000.0) AS started_at,
  to_timestamp(t.completed_at / 1000.0) AS completed_at,
  t.duration_ms AS duration_ms,
  {view jsonb}(t.audit) AS audit_trail,
  coalesce({view jsonb}(t.long_id) #>> '{}', t.tool_call_id) AS exact_tool_call_id,
  coalesce({view jsonb}(t.long_name) #>> '{}', t.tool_name) AS exact_tool_name
FROM {tool_calls} AS t
JOIN {agents} AS a ON a.tree = t.tree AND a.agent = t.owner
JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent`,
  ],
};
