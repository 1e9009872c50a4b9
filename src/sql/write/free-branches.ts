import type { HeldSegment } from '../chain.ts';
import { number, numberOrNull } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Script } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';
import { isNeededAsMuch, needOf } from './branch-need.ts';
import { assignOwners, ownsRows } from './owners.ts';

const LOCK_BRANCHES = statement('lock_branches', ({ rowsOfList, joinByKey }) => {
  const key = 'b.tree = $1 AND b.branch = k.branch';
  return `SELECT b.branch FROM (${rowsOfList('$2', { branch: 'bigint' })}) AS k
    ${joinByKey('branches', 'b', key, { against: 'use' })}`;
});
const LOCK_HEAD = statement(
  'lock_head',
  ({ lockRow }) => `SELECT agent FROM {heads} WHERE tree = $1 AND agent = $2 ${lockRow({ against: 'use' })}`,
);

/** Locks branches in the order of their keys. */
export function* lockBranches(tree: number, branches: readonly number[]): Script<void> {
  const sorted = [...new Set(branches)].sort((a, b) => a - b);
  yield* run(LOCK_BRANCHES, [tree, JSON.stringify(sorted.map((branch) => [branch]))]);
}

/** False when there is no such agent. */
export function* lockHead(keys: AgentKeys): Script<boolean> {
  return (yield* run(LOCK_HEAD, [keys.tree, keys.agent])).length > 0;
}

const READ_BRANCH = statement(
  'read_branch',
  `SELECT b.*, (SELECT h.agent FROM {heads} h WHERE h.tree = $1 AND h.agent = b.agent AND h.branch = $2) AS writer
   FROM {branches} b WHERE b.tree = $1 AND b.branch = $2`,
);
const DROP_BRANCH = [
  statement('drop_branch_messages', 'DELETE FROM {messages} WHERE tree = $1 AND branch = $2'),
  statement('drop_branch_calls', 'DELETE FROM {tool_calls} WHERE tree = $1 AND branch = $2'),
  statement('drop_branch_compactions', 'DELETE FROM {compactions} WHERE tree = $1 AND branch = $2'),
  statement('drop_branch', 'DELETE FROM {branches} WHERE tree = $1 AND branch = $2'),
];
const TRIM_MESSAGES = statement(
  'trim_branch_messages',
  'DELETE FROM {messages} WHERE tree = $1 AND branch = $2 AND seq >= $3',
);
const TRIM_CALLS = statement(
  'trim_branch_calls',
  'DELETE FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq >= $3',
);
const TRIM_COMPACTIONS = statement(
  'trim_branch_compactions',
  'DELETE FROM {compactions} WHERE tree = $1 AND branch = $2 AND position > $3',
);
const UPDATE_BRANCH = statement(
  'update_branch',
  'UPDATE {branches} SET pinned = $3, adopted = $4 WHERE tree = $1 AND branch = $2',
);

/**
 * After an agent left its chain: releases what can have changed by that. On a branch that its own starter goes on
 * writing to, nobody else owns a row, and what is needed of it changes only where a branch below it goes.
 */
export function* releaseChain(tree: number, chain: readonly HeldSegment[], departing: number): Script<void> {
  const left: HeldSegment[] = [];
  for (const segment of chain) {
    if (segment.agent === departing) yield* releaseBranch(tree, segment.branch, departing);
    else if (segment.adopted && (yield* ownsRows(tree, segment, departing))) left.push(segment);
  }
  yield* assignOwners(
    tree,
    left.map(({ branch, agent, lo }) => ({ branch, starter: agent, lo, isWritten: false, isAdopted: true })),
  );
}

/**
 * After an agent left a branch (it was deleted, or went on elsewhere): removes what nobody needs any
 * more, and puts what others need under the agent that queries are to show it under. The branch and its
 * ancestors are locked by the caller, so nobody joins or leaves meanwhile.
 */
export function* releaseBranch(tree: number, branch: number, departing: number): Script<void> {
  const [row] = yield* run(READ_BRANCH, [tree, branch]);
  if (!row) return;
  const isWritten = row.writer !== null;
  const need = yield* needOf(tree, branch);
  if (!isWritten && !need) {
    yield* dropBranch(tree, branch, row, departing);
    return;
  }
  const { seq, callSeq } = need ?? { seq: 0, callSeq: 0 };
  if (!isWritten) {
    yield* run(TRIM_MESSAGES, [tree, branch, seq]);
    yield* run(TRIM_CALLS, [tree, branch, callSeq]);
    yield* run(TRIM_COMPACTIONS, [tree, branch, seq]);
  }
  const adopted = number(row.adopted) === 1;
  const concerned = number(row.agent) === departing || adopted;
  if (concerned) {
    const left = { branch, starter: number(row.agent), lo: number(row.fork_seq) };
    yield* assignOwners(tree, [{ ...left, isWritten, isAdopted: adopted }]);
  }
  yield* run(UPDATE_BRANCH, [tree, branch, seq, adopted || (concerned && !isWritten) ? 1 : 0]);
}

/** And what only it needed of the branch in which it started. */
function* dropBranch(tree: number, branch: number, row: Row, departing: number): Script<void> {
  for (const drop of DROP_BRANCH) yield* run(drop, [tree, branch]);
  const parent = numberOrNull(row.parent);
  if (parent === null) return;
  const had = { seq: number(row.fork_seq), callSeq: number(row.fork_call_seq) };
  if (!(yield* isNeededAsMuch(tree, parent, had))) yield* releaseBranch(tree, parent, departing);
}
