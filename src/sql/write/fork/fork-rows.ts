import type { CallState } from '../../../model/call-book.ts';
import { forkedInfo } from '../../../model/fork-rules.ts';
import type { AgentState } from '../../agent-state.ts';
import { callRow } from '../../codec.ts';
import type { Op } from '../../port/batch.ts';
import type { SqlValue } from '../../port/values.ts';
import { STATUS_CODES } from '../../schema/tables.ts';
import { headRow, newState } from '../create.ts';
import { copiedMetadata } from '../info-ops.ts';

/** Who started the source as a helper didn't start its forks. */
const PARENT = ['parent_agent_id', 'parent_tool_call_id', 'long_parent_call_id'];

/** What a fork gets: its public id and keys, reserved beforehand. */
export interface ForkTarget {
  agentId: string;
  agent: number;
  branch: number;
}

/** What forks begin with. */
export interface ForkStart {
  /** The branch that holds what comes before them; null where they share nothing. */
  parent: { branch: number; version: number } | null;
  messageCount: number;
  callCount: number;
  unlinkedCalls: number;
  /** Calls that they have rows of their own of. */
  calls: readonly CallState[];
  /** Calls that await a decision without being among them. */
  sharedApprovals: number;
  /** The whole conversation: to-dos come along. */
  whole: boolean;
}

/** The rows of new forks, but for messages: what they take over of their source is copied in the database. */
export function forkOps(
  sourceId: string,
  source: AgentState,
  start: ForkStart,
  targets: readonly ForkTarget[],
  now: number,
): Op[] {
  const { tree } = source.keys;
  const calls = targets.flatMap(({ agent, branch }) =>
    start.calls.map((call) => callRow(call, { tree, branch, owner: agent })),
  );
  const lineage = JSON.stringify(sourceId);
  const ops: Op[] = [
    {
      kind: 'insert',
      table: 'directory',
      rows: targets.map(({ agentId, agent }) => [agentId, tree, agent]),
    },
    { kind: 'insert', table: 'branches', rows: targets.map((target) => branchRow(tree, start, target)) },
    {
      kind: 'insert',
      table: 'heads',
      rows: targets.map((target) => headRow(forkState(source, start, target, now), now)),
    },
    {
      kind: 'copy',
      table: 'agents',
      source: source.keys,
      columns: ['agent', 'agent_id', 'created_at', 'lineage', ...PARENT],
      append: 'lineage',
      rows: targets.map(({ agent, agentId }) => [agent, agentId, now, lineage, ...PARENT.map(() => null)]),
    },
    ...copiedMetadata(source.keys, targets),
  ];
  if (calls.length > 0) ops.push({ kind: 'insert', table: 'tool_calls', rows: calls });
  if (start.whole) {
    const rows = targets.map(({ agent }) => [agent]);
    ops.push({ kind: 'copy', table: 'todos', source: source.keys, columns: ['agent'], rows });
  }
  return ops;
}

/** In the order of the table's columns. */
function branchRow(tree: number, { parent, ...start }: ForkStart, { agent, branch }: ForkTarget): SqlValue[] {
  const from = parent
    ? [parent.branch, start.messageCount, start.callCount, parent.version]
    : [null, 0, 0, null];
  return [tree, branch, agent, ...from, 0, 0, 0];
}

/** A fork as it begins. */
export function forkState(
  source: AgentState,
  { calls, sharedApprovals, messageCount, callCount, unlinkedCalls }: ForkStart,
  { agent, branch }: ForkTarget,
  now: number,
): AgentState {
  const fresh = newState({ tree: source.keys.tree, agent }, branch);
  const copiedApprovals = calls.filter((call) => call.state === 'approval_required').length;
  const { status, lastSfpIndex } = forkedInfo(source.head, messageCount, copiedApprovals);
  return {
    ...fresh,
    head: {
      ...fresh.head,
      version: 1,
      messageCount,
      callCount,
      unlinkedCalls,
      unansweredCalls: calls.filter((call) => call.messageSeq !== null && call.resultSeq === null).length,
      pendingApprovals: copiedApprovals + sharedApprovals,
      status: STATUS_CODES[status],
      lastAt: now,
      lastSfpIndex,
    },
  };
}
