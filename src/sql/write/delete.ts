import { type AgentState, readChain, readState } from '../agent-state.ts';
import type { HeldSegment } from '../chain.ts';
import { number } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import { run, runBatch, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import { lockBranches, lockHead, releaseChain } from './free-branches.ts';
import { removedMetadata } from './info-ops.ts';

const OWN_ROWS = [
  'events',
  'deltas',
  'todos',
  'usage',
  'snapshots',
  'documents',
  'operations',
  'heads',
  'agents',
] as const;

const DELETE_ROWS = OWN_ROWS.map((name) =>
  statement(`delete_${name}`, `DELETE FROM {${name}} WHERE tree = $1 AND agent = $2`),
);
const DELETE_ID = statement(
  'delete_directory',
  'DELETE FROM {directory} WHERE agent_id = $1 AND tree = $2 AND agent = $3',
);
const SNAPSHOT_BRANCHES = statement(
  'snapshot_branches',
  'SELECT DISTINCT branch FROM {snapshots} WHERE tree = $1 AND agent = $2 AND branch IS NOT NULL',
);

/** Removes an agent and what no fork of it needs. Leases don't stop it: their holders find no agent. */
export function* deleteAgent(agentId: string, keys: AgentKeys): Script<boolean> {
  for (;;) {
    const seen = yield* readState(keys);
    if (!seen) return false;
    const before = yield* branchesInUse(keys, seen);
    const locked = new Set(before.map(({ branch }) => branch));
    yield* lockBranches(keys.tree, [...locked]);
    if (!(yield* lockHead(keys))) return false;
    const state = yield* readState(keys);
    // Between the look and the locks the agent may have gone on to a branch that isn't locked.
    if (!state) return false;
    const now = yield* branchesInUse(keys, state);
    if (now.some(({ branch }) => !locked.has(branch))) continue;
    yield* runBatch({ ops: removedMetadata(keys) });
    for (const remove of DELETE_ROWS) yield* run(remove, [keys.tree, keys.agent]);
    yield* run(DELETE_ID, [agentId, keys.tree, keys.agent]);
    yield* releaseChain(keys.tree, now, keys.agent);
    return true;
  }
}

/**
 * The branches of the agent's conversation and of its snapshots, with all their ancestors. What a snapshot refers to
 * is taken for the agent's own: without it, less of that is needed.
 */
function* branchesInUse(keys: AgentKeys, state: AgentState): Script<HeldSegment[]> {
  const branches = new Map(state.chain.map((segment) => [segment.branch, segment]));
  for (const row of yield* run(SNAPSHOT_BRANCHES, [keys.tree, keys.agent])) {
    const [referred, ...ancestors] = yield* readChain(keys.tree, number(row.branch), 0, 0);
    if (referred) branches.set(referred.branch, { ...referred, agent: keys.agent });
    for (const segment of ancestors) {
      if (!branches.has(segment.branch)) branches.set(segment.branch, segment);
    }
  }
  return [...branches.values()];
}
