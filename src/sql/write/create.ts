import { AgentExistsError } from '../../errors.ts';
import type { CommitResult } from '../../model/agent.ts';
import { creationInstant } from '../../model/commit-instants.ts';
import type { EncodedCommit } from '../../model/encode-commit.ts';
import { type AgentState, RecentCalls } from '../agent-state.ts';
import type { SqlContext } from '../context.ts';
import { indexKey, longText } from '../index-key.ts';
import type { AgentKeys } from '../keys.ts';
import type { Op } from '../port/batch.ts';
import { UniqueViolation } from '../port/driver.ts';
import type { SqlValue } from '../port/values.ts';
import { table } from '../schema/tables.ts';
import { newMetadata } from './info-ops.ts';
import { type PlanOptions, planCommit } from './plan.ts';

/** The earliest instant there is: nothing has been said of the agent yet. */
const BEGINNING = -8.64e15;

/** What a new agent has before its first commit. */
export function newState(keys: AgentKeys, branch: number): AgentState {
  return {
    keys,
    head: {
      branch,
      version: 0,
      revision: 0,
      cursor: 0,
      messageCount: 0,
      callCount: 0,
      unlinkedCalls: 0,
      unansweredCalls: 0,
      pendingApprovals: 0,
      usageCount: 0,
      status: 0,
      lastAt: BEGINNING,
      lastSfpIndex: -1,
      bookmarkSeq: null,
      bookmarkAt: null,
      breakpoint: null,
      attempts: 0,
      retryAt: null,
      failure: null,
      hasDeltas: false,
    },
    chain: [
      {
        branch,
        agent: keys.agent,
        parent: null,
        lo: 0,
        hi: 0,
        callLo: 0,
        callHi: 0,
        versionHi: Number.MAX_SAFE_INTEGER,
        forkVersion: null,
        pinned: 0,
        epoch: 0,
        adopted: false,
      },
    ],
    known: new RecentCalls(),
  };
}

/** The first commit of an agent: the directory's unique key lets one of two creators win. */
export async function createAgent(
  context: SqlContext,
  agentId: string,
  change: EncodedCommit,
  timing: PlanOptions['timing'],
): Promise<CommitResult> {
  const agent = await context.directory.newKey();
  const branch = await context.directory.newKey();
  // A new agent is its own tree.
  const keys = { tree: agent, agent };
  const state = newState(keys, branch);
  const now = context.driver.time.now();
  const plan = planCommit(state, change, { now, timing });
  const updatedAt = plan.batch.guard?.at ?? now;
  const pinned = plan.batch.pin?.position ?? 0;
  const { info } = change;
  const metadata = info?.metadata ?? '{}';
  const parentCall = info?.parentToolCallId ?? undefined;
  const cursor = change.events.length;
  const ops: Op[] = [
    { kind: 'insert', table: 'directory', rows: [[agentId, keys.tree, keys.agent]] },
    { kind: 'insert', table: 'branches', rows: [[keys.tree, branch, agent, null, 0, 0, null, pinned, 0, 0]] },
    {
      kind: 'insert',
      table: 'heads',
      rows: [headRow({ ...state, head: { ...plan.next, cursor } }, updatedAt)],
    },
    {
      kind: 'insert',
      table: 'agents',
      rows: [
        [
          keys.tree,
          keys.agent,
          agentId,
          info?.templateId ?? 'default',
          info?.userId ?? null,
          creationInstant(change, updatedAt),
          info?.configVersion ?? '1',
          JSON.stringify(info?.lineage ?? []),
          info?.parentAgentId ?? null,
          parentCall === undefined ? null : indexKey(parentCall),
          metadata,
          parentCall === undefined ? null : longText(parentCall),
        ],
      ],
    },
    ...newMetadata(keys, metadata),
    ...plan.batch.ops.filter((op) => op.kind !== 'update' && !op.table.startsWith('metadata')).map(fromOne),
  ];
  try {
    await context.driver.batch({ ops });
  } catch (error) {
    if (error instanceof UniqueViolation && error.table === 'directory') throw new AgentExistsError(agentId);
    throw error;
  }
  context.directory.remember(agentId, keys);
  return { version: 1, messageCount: plan.next.messageCount, cursor };
}

/** Without a head to complete them, cursors are written as they will be: from 1. */
function fromOne(op: Op): Op {
  if (op.kind !== 'insert' && op.kind !== 'upsert') return op;
  const kinds = Object.values(table(op.table).columns);
  if (!kinds.includes('cursor')) return op;
  return {
    ...op,
    rows: op.rows.map((row) => row.map((value, i) => (kinds[i] === 'cursor' ? Number(value) + 1 : value))),
  };
}

/** A new row of `heads`, in the order of the table's columns. */
export function headRow({ keys, head }: AgentState, updatedAt: number): SqlValue[] {
  return [
    keys.tree,
    keys.agent,
    head.branch,
    head.version,
    head.revision,
    head.cursor,
    0,
    head.messageCount,
    head.callCount,
    head.unlinkedCalls,
    head.unansweredCalls,
    head.pendingApprovals,
    head.usageCount,
    head.status,
    updatedAt,
    updatedAt,
    head.lastSfpIndex,
    head.bookmarkSeq,
    head.bookmarkAt,
    head.breakpoint,
    0,
    null,
    null,
    null,
    0,
    null,
    head.attempts,
    head.retryAt,
    head.failure,
  ];
}
