import type { EncodedInfo } from '../../model/encode-info.ts';
import { indexKey, longText } from '../index-key.ts';
import type { AgentKeys } from '../keys.ts';
import type { Op } from '../port/batch.ts';
import type { SqlValue } from '../port/values.ts';
import { metadataDocument, metadataRows } from '../query/metadata-index.ts';

/** Changes of the agent's wide row: only the columns that are given. */
export function infoOps(keys: AgentKeys, info: EncodedInfo): Op[] {
  const given: [string, SqlValue][] = [];
  if (info.templateId !== undefined) given.push(['template_id', info.templateId]);
  if (info.userId !== undefined) given.push(['user_id', info.userId]);
  if (info.configVersion !== undefined) given.push(['config_version', info.configVersion]);
  if (info.lineage !== undefined) given.push(['lineage', JSON.stringify(info.lineage)]);
  if (info.parentAgentId !== undefined) given.push(['parent_agent_id', info.parentAgentId]);
  if (info.parentToolCallId !== undefined) {
    const { parentToolCallId: id } = info;
    given.push(['parent_tool_call_id', id === null ? null : indexKey(id)]);
    given.push(['long_parent_call_id', id === null ? null : longText(id)]);
  }
  if (info.metadata !== undefined) given.push(['metadata', info.metadata]);
  if (given.length === 0) return [];
  const columns = ['tree', 'agent', ...given.map(([column]) => column)];
  const row = [keys.tree, keys.agent, ...given.map(([, value]) => value)];
  const ops: Op[] = info.metadata === undefined ? [] : changedMetadata(keys, info.metadata);
  return [...ops, { kind: 'update', table: 'agents', columns, keep: [], rows: [row] }];
}

/**
 * The index for metadata filters: rows by path, or one JSONB document. Each driver leaves out the operations on the
 * table that its database doesn't have.
 */
export function newMetadata({ tree, agent }: AgentKeys, metadata: string): Op[] {
  const parsed = JSON.parse(metadata) as Record<string, unknown>;
  return [
    {
      kind: 'insert',
      table: 'metadata',
      rows: metadataRows(parsed).map(({ path, value }) => [path, value, agent, tree]),
    },
    { kind: 'insert', table: 'metadata_jsonb', rows: [[tree, agent, metadataDocument(parsed)]] },
  ];
}

function changedMetadata({ tree, agent }: AgentKeys, metadata: string): Op[] {
  const document = metadataDocument(JSON.parse(metadata) as Record<string, unknown>);
  return [
    { kind: 'reindex', table: 'metadata', rows: [[tree, agent, metadata]] },
    { kind: 'upsert', table: 'metadata_jsonb', rows: [[tree, agent, document]] },
  ];
}

/** Before its text is deleted. */
export function removedMetadata({ tree, agent }: AgentKeys): Op[] {
  return [
    { kind: 'reindex', table: 'metadata', rows: [[tree, agent, '{}']] },
    { kind: 'remove', table: 'metadata_jsonb', columns: ['tree', 'agent'], rows: [[tree, agent]] },
  ];
}

/** The same index for agents that take their metadata over from `source`, which is in the same tree. */
export function copiedMetadata(source: AgentKeys, targets: readonly { agent: number }[]): Op[] {
  const rows = targets.map(({ agent }) => [agent]);
  return (['metadata', 'metadata_jsonb'] as const).map((table) => ({
    kind: 'copy',
    table,
    source,
    columns: ['agent'],
    rows,
  }));
}
