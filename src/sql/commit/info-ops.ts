import type { EncodedInfo } from '../../model/encode-info.ts';
import type { Op } from '../batch.ts';
import type { AgentKeys } from '../directory.ts';
import type { SqlValue } from '../driver.ts';
import { metadataDocument, metadataRows } from '../query/metadata-index.ts';

/** Changes of the agent's wide row: only the columns that are given. */
export function infoOps(keys: AgentKeys, info: EncodedInfo): Op[] {
  const given: [string, SqlValue][] = [];
  if (info.templateId !== undefined) given.push(['template_id', info.templateId]);
  if (info.userId !== undefined) given.push(['user_id', info.userId]);
  if (info.configVersion !== undefined) given.push(['config_version', info.configVersion]);
  if (info.lineage !== undefined) given.push(['lineage', JSON.stringify(info.lineage)]);
  if (info.parentAgentId !== undefined) given.push(['parent_agent_id', info.parentAgentId]);
  if (info.parentToolCallId !== undefined) given.push(['parent_tool_call_id', info.parentToolCallId]);
  if (info.metadata !== undefined) given.push(['metadata', info.metadata]);
  if (given.length === 0) return [];
  const columns = ['tree', 'agent', ...given.map(([column]) => column)];
  const row = [keys.tree, keys.agent, ...given.map(([, value]) => value)];
  const ops: Op[] = [{ kind: 'update', table: 'agents', columns, keep: [], rows: [row] }];
  if (info.metadata !== undefined) ops.push(...metadataOps(keys, info.metadata));
  return ops;
}

/**
 * The index for metadata filters: on SQLite rows by path, on PostgreSQL one JSONB document. Each driver
 * leaves out the operations on the table that its database doesn't have.
 */
export function metadataOps(keys: AgentKeys, metadata: string): Op[] {
  const parsed = JSON.parse(metadata) as Record<string, unknown>;
  return [
    { kind: 'remove', table: 'metadata', columns: ['tree', 'agent'], rows: [[keys.tree, keys.agent]] },
    {
      kind: 'insert',
      table: 'metadata',
      rows: metadataRows(parsed).map(({ path, value }) => [keys.tree, keys.agent, path, value]),
    },
    { kind: 'upsert', table: 'metadata_jsonb', rows: [[keys.tree, keys.agent, metadataDocument(parsed)]] },
  ];
}
