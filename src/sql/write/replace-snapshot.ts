import { type AgentState, readChain } from '../agent-state.ts';
import { numberOrNull } from '../codec.ts';
import type { Batch, BatchOutcome } from '../port/batch.ts';
import { type Driver, runBatch, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import { lockBranches, releaseBranch } from './free-branches.ts';
import { RewriteRefused } from './rewrite.ts';

const BRANCH = statement(
  'branch_of_snapshot',
  'SELECT branch FROM {snapshots} WHERE tree = $1 AND agent = $2 AND snapshot_id = $3',
);

/** The branch of the snapshot that is about to be replaced, unless the agent itself goes on there. */
export async function replacedBranch(
  driver: Driver,
  state: AgentState,
  snapshotId: string,
): Promise<number | undefined> {
  const [row] = await driver.read(BRANCH, [state.keys.tree, state.keys.agent, snapshotId]);
  const branch = numberOrNull(row?.branch);
  return branch === null || branch === state.head.branch ? undefined : branch;
}

/** The same batch for a snapshot that takes no other one's place: if it would, nothing is written. */
export function withNewSnapshot(batch: Batch): Batch {
  return {
    ...batch,
    ops: batch.ops.map((op) =>
      op.table === 'snapshots' ? { kind: 'insert', table: op.table, rows: op.rows } : op,
    ),
  };
}

/** The commit, and then what nobody but the old snapshot needed of its branch. */
export function* replaceSnapshot(state: AgentState, oldBranch: number, batch: Batch): Script<BatchOutcome> {
  const { tree, agent } = state.keys;
  const chain = yield* readChain(tree, oldBranch, 0, 0);
  yield* lockBranches(
    tree,
    [...chain, ...state.chain].map((segment) => segment.branch),
  );
  const outcome = yield* runBatch(batch);
  if (!outcome.applied) throw new RewriteRefused(outcome);
  yield* releaseBranch(tree, oldBranch, agent);
  return outcome;
}
