import { ROLE_CODES } from './tables.ts';

/**
 * The indexes beside the primary keys, and the queries that each is for: a dialect says which of them its database
 * has. Where statements can, they name the index they want, so that plans don't depend on statistics.
 * A row costs a write for each index that it is in: most of these are partial.
 */
export interface Index {
  readonly table: string;
  readonly columns: string;
  readonly where?: string;
}

export function indexName(name: string): string {
  return `kode_${name}`;
}

/** Queries over all agents; a query repeats the words of an index's condition, or it isn't used. */
export const OWNED = 'owner IS NOT NULL';
/** Kinds of content. Together they cover every message, so a query without a kind merges the four. */
export const KIND_CONDITIONS = {
  text: '(kinds & 1) <> 0',
  tool_use: '(kinds & 2) <> 0',
  tool_result: '(kinds & 4) <> 0',
  other: '(kinds & 7) = 0',
} as const;
const { text: TEXT, tool_use: TOOL_USE, tool_result: TOOL_RESULT, other: OTHER } = KIND_CONDITIONS;
const SYSTEM = `role = ${ROLE_CODES.system}`;
/** A query without a role merges the three. */
const BY_ROLE = 'role, created_at, tree, branch, seq';
/** Instants of a branch rise with seq. */
const BY_BRANCH_AND_ROLE = 'tree, branch, role, created_at, seq';
/** Rows of events that hold more than the channel in which most events are. */
export const RARE_CHANNELS = 'channels <> 1';

export const INDEXES = {
  // Sessions.
  agents_by_time: { table: 'agents', columns: 'created_at, agent, tree' },
  agents_by_template: { table: 'agents', columns: 'template_id, created_at, agent, tree' },
  agents_by_user: {
    table: 'agents',
    columns: 'user_id, created_at, agent, tree',
    where: 'user_id IS NOT NULL',
  },
  heads_by_activity: { table: 'heads', columns: 'updated_at, agent, tree' },
  heads_not_idle: { table: 'heads', columns: 'status, updated_at, agent, tree', where: 'status <> 0' },
  // Agents that were given to a worker and wait for the next one: none of the others is in it.
  heads_to_retry: { table: 'heads', columns: 'retry_at, agent, tree', where: 'retry_at IS NOT NULL' },

  // What depends on a branch: its children, and snapshots.
  branches_by_parent: { table: 'branches', columns: 'tree, parent', where: 'parent IS NOT NULL' },
  snapshots_by_branch: { table: 'snapshots', columns: 'tree, branch', where: 'branch IS NOT NULL' },

  // Messages over all agents.
  messages_text: { table: 'messages', columns: BY_ROLE, where: `${OWNED} AND ${TEXT}` },
  messages_tool_use: { table: 'messages', columns: BY_ROLE, where: `${OWNED} AND ${TOOL_USE}` },
  messages_tool_result: { table: 'messages', columns: BY_ROLE, where: `${OWNED} AND ${TOOL_RESULT}` },
  messages_other: { table: 'messages', columns: BY_ROLE, where: `${OWNED} AND ${OTHER}` },
  // Messages of one conversation, per branch of its chain. Without a filter, the primary key serves.
  // Where role and kind are tested on the narrow entries of one index, the messages of a commit are neighbours in
  // it, and what is rare in a conversation has an index that costs the others nothing. Where each row would have
  // to be looked at for its kind, there is one for each.
  branch_messages: {
    table: 'messages',
    columns: 'tree, branch, created_at, seq, role, kinds',
  },
  branch_messages_system: {
    table: 'messages',
    columns: 'tree, branch, created_at, seq, kinds',
    where: SYSTEM,
  },
  branch_messages_text: {
    table: 'messages',
    columns: BY_BRANCH_AND_ROLE,
    where: TEXT,
  },
  branch_messages_tool_use: {
    table: 'messages',
    columns: BY_BRANCH_AND_ROLE,
    where: TOOL_USE,
  },
  branch_messages_tool_result: {
    table: 'messages',
    columns: BY_BRANCH_AND_ROLE,
    where: TOOL_RESULT,
  },
  branch_messages_other: {
    table: 'messages',
    columns: BY_BRANCH_AND_ROLE,
    where: OTHER,
  },

  // Tool calls over all agents. A query that names neither merges all states.
  // With the durations, of which statistics are made over all agents.
  calls_by_state: {
    table: 'tool_calls',
    columns: 'state, created_at, tree, branch, call_seq, duration_ms',
    where: OWNED,
  },
  calls_by_tool: {
    table: 'tool_calls',
    columns: 'tool_name, created_at, tree, branch, call_seq',
    where: OWNED,
  },
  calls_failed: {
    table: 'tool_calls',
    columns: 'created_at, tree, branch, call_seq',
    where: `${OWNED} AND is_error = 1`,
  },
  calls_failed_by_tool: {
    table: 'tool_calls',
    columns: 'tool_name, created_at, tree, branch, call_seq',
    where: `${OWNED} AND is_error = 1`,
  },
  calls_with_approval: {
    table: 'tool_calls',
    columns: 'created_at, tree, branch, call_seq',
    where: `${OWNED} AND approval_required = 1`,
  },
  calls_with_approval_by_tool: {
    table: 'tool_calls',
    columns: 'tool_name, created_at, tree, branch, call_seq',
    where: `${OWNED} AND approval_required = 1`,
  },
  // Tool calls of one conversation.
  branch_calls_by_id: { table: 'tool_calls', columns: 'tree, branch, tool_call_id, call_seq' },
  // Whatever a filter says of one conversation's calls is in this one, so that none of their payloads is
  // read on the way. Where long payloads are kept apart anyway, the primary key does as well.
  branch_calls: {
    table: 'tool_calls',
    columns: 'tree, branch, call_seq, created_at, tool_name, state, is_error, approval_required',
  },
  // Calls whose result isn't in the message right after them, and those that no message asked for, or late: a
  // fork there may need its own copy of them.
  branch_calls_unsettled: {
    table: 'tool_calls',
    columns: 'tree, branch, call_seq',
    where: '(message_seq IS NULL OR result_seq IS NULL OR result_seq > message_seq + 1 OR late = 1)',
  },
  branch_calls_failed: { table: 'tool_calls', columns: 'tree, branch, call_seq', where: 'is_error = 1' },
  branch_calls_with_approval: {
    table: 'tool_calls',
    columns: 'tree, branch, call_seq',
    where: 'approval_required = 1',
  },

  // Events of the rarer channels: a query for one merges the sets that it is in. The timeline itself is the
  // primary key.
  events_by_channels: { table: 'events', columns: 'tree, agent, channels, cursor', where: RARE_CHANNELS },
} as const satisfies Record<string, Index>;

export type IndexName = keyof typeof INDEXES;
