import type { ExtendedStore } from '../../src/store/store.ts';
import { answers, asks, conversation, createAgent, progress, user } from '../../src/testing/samples.ts';

/** Agents that have everything a check looks at; `e` inherits from `d`, which is gone. */
export async function fillForChecks(store: ExtendedStore): Promise<void> {
  await createAgent(store, 'a', [user('1'), asks('t1'), answers('t1'), user('2'), asks('t2')]);
  await store.commit('a', {
    toolCalls: [
      { toolCallId: 't1', state: 'completed', output: 1 },
      { toolCallId: 't2', state: 'approval_required' },
    ],
    events: [progress('1'), progress('2')],
    usage: [{ model: 'm' }, { model: 'm' }],
    todos: { todos: ['x'] },
    compaction: { seq: 3, messages: [user('summary')] },
    snapshot: { id: 's' },
    operationId: 'o',
  });
  await store.appendEvent('a', progress('3'));
  await store.saveDocument('a', { kind: 'media-cache', name: 'n', content: 1 });
  await store.saveDelta('a', { text: 'x' });
  await store.fork('a', { at: 3, agentId: 'b' });
  await store.appendMessages('b', conversation(2));
  await createAgent(store, 'd', [...conversation(4), asks('t3'), answers('t3'), user('end')]);
  await store.fork('d', { agentId: 'e' });
  await store.delete('d');
}

export interface Tampering {
  /** What is wrong afterwards. */
  what: string;
  rule: string;
  sql: string;
  /** An agent whose own check finds it as well. */
  agent?: string;
}

const keyOf = (id: string) => `(SELECT agent FROM kode_data_directory WHERE agent_id = '${id}')`;
const treeOf = (id: string) => `(SELECT tree FROM kode_data_directory WHERE agent_id = '${id}')`;
const branchOf = (id: string) => `(SELECT branch FROM kode_data_heads WHERE agent = ${keyOf(id)})`;
const parentOf = (id: string) => `(SELECT parent FROM kode_data_branches WHERE branch = ${branchOf(id)})`;
const head = (id: string, set: string) => `UPDATE kode_data_heads SET ${set} WHERE agent = ${keyOf(id)}`;

const NOBODY = 999_999;

function orphan(table: string, columns: string, values: string): Tampering {
  return {
    what: `rows of ${table} that are nobody's`,
    rule: 'orphan-rows',
    sql: `INSERT INTO kode_data_${table} (tree, ${columns}) VALUES (${NOBODY}, ${NOBODY}, ${values})`,
  };
}

export const TAMPERINGS: readonly Tampering[] = [
  {
    what: 'a head without its agent',
    rule: 'agent-row',
    sql: `DELETE FROM kode_data_agents WHERE agent_id = 'a'`,
    agent: 'a',
  },
  {
    what: 'an agent without its head',
    rule: 'head-row',
    sql: `DELETE FROM kode_data_heads WHERE agent = ${keyOf('a')}`,
    agent: 'a',
  },
  {
    what: 'an id that leads nowhere',
    rule: 'head-row',
    sql: `INSERT INTO kode_data_directory (agent_id, tree, agent) VALUES ('ghost', ${NOBODY}, ${NOBODY})`,
    agent: 'ghost',
  },
  {
    what: 'an agent that has lost its id',
    rule: 'directory-row',
    sql: `DELETE FROM kode_data_directory WHERE agent_id = 'a'`,
  },
  {
    what: 'an id that leads to another agent',
    rule: 'directory-row',
    sql: `UPDATE kode_data_directory SET agent = ${keyOf('b')} WHERE agent_id = 'a'`,
  },
  {
    what: 'a head on a branch of another',
    rule: 'current-branch',
    sql: head('b', `branch = ${branchOf('a')}`),
    agent: 'b',
  },
  { what: 'a head on no branch', rule: 'current-branch', sql: head('b', `branch = ${NOBODY}`), agent: 'b' },
  {
    what: 'a wrong count of approvals',
    rule: 'open-calls',
    sql: head('a', 'pending_approvals = 0'),
    agent: 'a',
  },
  {
    what: 'a wrong count of calls without a message',
    rule: 'open-calls',
    sql: head('b', 'unlinked_calls = 1'),
    agent: 'b',
  },
  {
    what: 'a wrong count of calls without a result',
    rule: 'open-calls',
    sql: head('b', 'unanswered_calls = unanswered_calls + 1'),
    agent: 'b',
  },
  { what: 'a wrong count of usage', rule: 'usage-count', sql: head('a', 'usage_count = 3'), agent: 'a' },
  {
    what: 'usage with a gap',
    rule: 'usage-count',
    sql: 'UPDATE kode_data_usage SET usage_seq = 5 WHERE usage_seq = 1',
    agent: 'a',
  },
  {
    what: 'missing events',
    rule: 'event-cursors',
    sql: 'DELETE FROM kode_data_events WHERE cursor = 2',
    agent: 'a',
  },
  {
    what: 'a row with fewer events than its cursor says',
    rule: 'event-cursors',
    sql: 'UPDATE kode_data_events SET count = 1 WHERE cursor = 2',
    agent: 'a',
  },
  {
    what: 'rows with events that overlap',
    rule: 'event-cursors',
    sql: 'UPDATE kode_data_events SET count = count + 1 WHERE cursor = 3',
    agent: 'a',
  },
  { what: 'a wrong cursor', rule: 'event-cursors', sql: head('a', 'cursor = 4'), agent: 'a' },
  { what: 'pruning that never was', rule: 'event-cursors', sql: head('a', 'pruned_cursor = 1'), agent: 'a' },
  {
    what: 'a branch without its parent',
    rule: 'branch-parent',
    sql: `UPDATE kode_data_branches SET parent = ${NOBODY} WHERE branch = ${branchOf('b')}`,
    agent: 'b',
  },
  {
    what: 'a branch that begins in the middle of nothing',
    rule: 'branch-parent',
    sql: `UPDATE kode_data_branches SET parent = NULL WHERE branch = ${branchOf('b')}`,
    agent: 'b',
  },
  {
    what: 'history that nothing protects',
    rule: 'branch-pinned',
    sql: `UPDATE kode_data_branches SET pinned = 2 WHERE branch = ${branchOf('a')}`,
    agent: 'a',
  },
  {
    what: "a branch that is nobody's",
    rule: 'orphan-branch',
    sql: `INSERT INTO kode_data_branches (tree, branch, agent, fork_seq, fork_call_seq, pinned, epoch, adopted)
          VALUES (${NOBODY}, ${NOBODY}, ${NOBODY}, 0, 0, 0, 0, 1)`,
  },
  {
    what: 'a missing message',
    rule: 'messages',
    sql: 'DELETE FROM kode_data_messages WHERE seq = 1',
    agent: 'b',
  },
  { what: 'a message too many', rule: 'messages', sql: head('b', 'message_count = 4'), agent: 'b' },
  { what: 'a message too few', rule: 'messages', sql: head('b', 'message_count = 6'), agent: 'b' },
  {
    what: 'a message that is older than the one before it',
    rule: 'message-times',
    sql: `UPDATE kode_data_messages SET created_at = 5 WHERE seq = 2 AND branch = ${branchOf('a')}`,
    agent: 'a',
  },
  {
    what: 'a missing tool call',
    rule: 'calls',
    sql: `DELETE FROM kode_data_tool_calls WHERE tool_call_id = 't1'`,
    agent: 'b',
  },
  {
    what: 'a tool call beyond the last one',
    rule: 'calls-beyond',
    sql: `UPDATE kode_data_tool_calls SET call_seq = 9 WHERE tool_call_id = 't2'`,
    agent: 'a',
  },
  {
    what: 'a compaction of messages that are not there',
    rule: 'compactions-beyond',
    sql: 'UPDATE kode_data_compactions SET position = 9',
    agent: 'a',
  },
  {
    what: 'a snapshot of a branch that is not there',
    rule: 'snapshot-position',
    sql: `UPDATE kode_data_snapshots SET branch = ${NOBODY}`,
    agent: 'a',
  },
  {
    what: 'a message that another agent shows',
    rule: 'message-owner',
    sql: `UPDATE kode_data_messages SET owner = ${keyOf('b')} WHERE branch = ${branchOf('a')} AND seq = 0`,
    agent: 'a',
  },
  {
    what: 'an inherited message that nobody shows',
    rule: 'message-owner',
    sql: `UPDATE kode_data_messages SET owner = NULL WHERE branch = ${parentOf('e')} AND seq = 6`,
    agent: 'e',
  },
  {
    what: 'a tool call that nobody shows',
    rule: 'call-owner',
    sql: `UPDATE kode_data_tool_calls SET owner = NULL WHERE tool_call_id = 't3'`,
    agent: 'e',
  },
  {
    what: 'an abandoned branch that is not marked',
    rule: 'branch-adopted',
    sql: `UPDATE kode_data_branches SET adopted = 0 WHERE branch = ${parentOf('e')}`,
    agent: 'e',
  },
  orphan('messages', 'branch, seq, role, kinds, call_count, created_at, payload', `0, 0, 1, 0, 0, '{}'`),
  orphan(
    'tool_calls',
    'branch, call_seq, tool_call_id, tool_name, state, is_error, approval_required, late, created_at, updated_at, input, approval, audit',
    `0, 'x', 'x', 0, 0, 0, 0, 0, 0, '{}', '{}', '[]'`,
  ),
  orphan('compactions', 'branch, version, position, upto, created_at, messages', `1, 0, 0, 0, '[]'`),
  orphan('events', 'agent, cursor, count, channels, created_at, payload', `1, 1, 1, 0, '[{}]'`),
  orphan('deltas', 'agent, piece, message_count, payload', `1, 0, '{}'`),
  orphan('todos', 'agent, version, updated_at, payload', `1, 0, '[]'`),
  orphan('usage', 'agent, usage_seq, created_at, model', `0, 0, 'm'`),
  orphan('snapshots', 'agent, snapshot_id, created_at, last_sfp_index, messages', `'s', 0, 0, '[]'`),
  orphan('documents', 'agent, kind, name, created_at, updated_at, payload', `'k', 'n', 0, 0, '1'`),
  orphan(
    'operations',
    'agent, operation_id, fingerprint, version, message_count, cursor, created_at',
    `'o', 'f', 1, 0, 0, 0`,
  ),
  {
    what: 'a row in the tree of a living agent',
    rule: 'orphan-rows',
    sql: `INSERT INTO kode_data_todos (tree, agent, version, updated_at, payload)
          VALUES (${treeOf('a')}, ${NOBODY}, 1, 0, '[]')`,
  },
];

/** Texts that are no JSON: found where one agent is checked. */
export const BROKEN_TEXTS: readonly Tampering[] = [
  ['messages', 'payload', 'seq = 1'],
  ['tool_calls', 'output', `tool_call_id = 't1'`],
  ['tool_calls', 'audit', `tool_call_id = 't2'`],
  ['compactions', 'messages', 'upto = 3'],
  ['agents', 'metadata', `agent_id = 'a'`],
  ['agents', 'lineage', `agent_id = 'a'`],
  ['heads', 'breakpoint', `agent = ${keyOf('a')}`],
  ['events', 'payload', 'cursor = 3'],
  ['todos', 'payload', '1 = 1'],
  ['deltas', 'payload', '1 = 1'],
  ['snapshots', 'metadata', `snapshot_id = 's'`],
  ['documents', 'payload', `name = 'n'`],
].map(([table, column, where]) => ({
  what: `${column} in ${table} that is no JSON`,
  rule: 'payload-json',
  sql: `UPDATE kode_data_${table} SET ${column} = '{"x' WHERE ${where}`,
  agent: 'a',
}));
