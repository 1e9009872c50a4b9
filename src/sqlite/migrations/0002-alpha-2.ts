import type { Migration } from '../../sql/migrations.ts';

/**
 * Every commit and every lease of 3.0.0-alpha.1 names `lease_holder`: under its new name they fail instead of
 * writing rows that mean something else by now.
 */
export const alpha2: Migration = {
  id: 2,
  name: 'alpha-2',
  checksum: '8c1b7d580cf57798d55dc228fbdb807430b854cc911adfee81ec43a29effdebf',
  statements: [
    'ALTER TABLE {heads} RENAME COLUMN lease_holder TO lease_holder_id',
    'ALTER TABLE {heads} ADD COLUMN lease_by TEXT',
    'ALTER TABLE {heads} ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE {heads} ADD COLUMN retry_at INTEGER',
    'ALTER TABLE {heads} ADD COLUMN failure TEXT',
    'ALTER TABLE {tool_calls} ADD COLUMN long_id TEXT',
    'ALTER TABLE {tool_calls} ADD COLUMN long_name TEXT',
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
  h.version AS version
FROM {agents} AS a
JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent
JOIN {heads} AS h ON h.tree = a.tree AND h.agent = a.agent`,
  ],
};
