import type { Migration } from '../../sql/migrations.ts';

/**
 * Every commit and every lease of 3.0.0-alpha.1 names `lease_holder`: under its new name they fail instead of
 * writing rows that mean something else by now.
 */
export const alpha2: Migration = {
  id: 2,
  name: 'alpha-2',
  checksum: '35dfe52ebb7aaf9c2375fd49b2dbfb69c160939d3d494f68dcd654eb32dc459a',
  statements: [
    'ALTER TABLE {heads} RENAME COLUMN lease_holder TO lease_holder_id',
    'ALTER TABLE {heads} ADD COLUMN lease_by text',
    'ALTER TABLE {heads} ADD COLUMN attempts bigint NOT NULL DEFAULT 0',
    'ALTER TABLE {heads} ADD COLUMN retry_at bigint',
    'ALTER TABLE {heads} ADD COLUMN failure text',
    'ALTER TABLE {tool_calls} ADD COLUMN long_id text',
    'ALTER TABLE {tool_calls} ADD COLUMN long_name text',
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
  h.version AS version
FROM {agents} AS a
JOIN {directory} AS d ON d.agent_id = a.agent_id AND d.tree = a.tree AND d.agent = a.agent
JOIN {metadata_jsonb} AS j ON j.tree = a.tree AND j.agent = a.agent
JOIN {heads} AS h ON h.tree = a.tree AND h.agent = a.agent`,
  ],
};
