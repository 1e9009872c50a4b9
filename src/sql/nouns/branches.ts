import { number, numberOrNull } from '../codec.ts';
import type { Script } from '../driver.ts';
import { run } from '../driver.ts';
import type { AgentKeys } from '../keys.ts';
import { statement } from '../statement.ts';
import type { Row } from '../values.ts';
import { type BranchUser, findUsers, type Users } from './branch-users.ts';

const LOCK_BRANCH = statement(
  'lock_branch',
  ({ lockRow }) =>
    `SELECT branch FROM {branches} WHERE tree = $1 AND branch = $2 ${lockRow({ against: 'use' })}`,
);
const LOCK_HEAD = statement(
  'lock_head',
  ({ lockRow }) => `SELECT agent FROM {heads} WHERE tree = $1 AND agent = $2 ${lockRow({ against: 'use' })}`,
);

/** Locks branches in the order of their keys. */
export function* lockBranches(tree: number, branches: readonly number[]): Script<void> {
  for (const branch of [...new Set(branches)].sort((a, b) => a - b)) yield* run(LOCK_BRANCH, [tree, branch]);
}

/** False when there is no such agent. */
export function* lockHead(keys: AgentKeys): Script<boolean> {
  return (yield* run(LOCK_HEAD, [keys.tree, keys.agent])).length > 0;
}

const READ_BRANCH = statement('read_branch', 'SELECT * FROM {branches} WHERE tree = $1 AND branch = $2');
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
 * After an agent left a branch (it was deleted, or went on elsewhere): removes what nobody needs any
 * more, and puts what others need under the agent that queries are to show it under. The branch and its
 * ancestors are locked by the caller, so nobody joins or leaves meanwhile.
 */
export function* settle(tree: number, branch: number, departing: number): Script<void> {
  const [row] = yield* run(READ_BRANCH, [tree, branch]);
  if (!row) return;
  const users = yield* findUsers(tree, branch);
  if (!users.current && users.needed === null) {
    for (const drop of DROP_BRANCH) yield* run(drop, [tree, branch]);
    const parent = numberOrNull(row.parent);
    if (parent !== null) yield* settle(tree, parent, departing);
    return;
  }
  const needed = users.needed ?? { seq: 0, callSeq: 0 };
  if (!users.current) {
    yield* run(TRIM_MESSAGES, [tree, branch, needed.seq]);
    yield* run(TRIM_CALLS, [tree, branch, needed.callSeq]);
    yield* run(TRIM_COMPACTIONS, [tree, branch, needed.seq]);
  }
  const adopted = number(row.adopted) === 1;
  const concerned = number(row.agent) === departing || adopted;
  if (concerned) yield* assignOwners(tree, branch, row, users);
  yield* run(UPDATE_BRANCH, [tree, branch, needed.seq, adopted || (concerned && !users.current) ? 1 : 0]);
}

const OWN_MESSAGES = statement(
  'own_messages',
  `UPDATE {messages} SET owner = $5
   WHERE tree = $1 AND branch = $2 AND seq >= $3 AND seq < $4 AND owner IS DISTINCT FROM $5`,
);
const OWN_CALLS = statement(
  'own_calls',
  `UPDATE {tool_calls} SET owner = $5
   WHERE tree = $1 AND branch = $2 AND call_seq >= $3 AND call_seq < $4 AND owner IS DISTINCT FROM $5`,
);
/** What a branch has of calls before its own beginning are copies. There may be a hundred thousand branches. */
const SHADOWED_CALLS = statement('shadowed_calls', (dialect) => {
  const nearer = dialect.rowsOfList('$3', { branch: 'bigint' });
  const begun = dialect.joinByKey('branches', 'b', 'b.tree = $1 AND b.branch = n.branch');
  const own = 'own.tree = b.tree AND own.branch = b.branch AND own.call_seq < b.fork_call_seq';
  const shadowed = 't.tree = own.tree AND t.branch = $2 AND t.call_seq = own.call_seq';
  return `SELECT own.branch, own.call_seq FROM (${nearer}) AS n ${begun}
     ${dialect.joinByKey('tool_calls', 'own', own)} ${dialect.joinByKey('tool_calls', 't', shadowed)}`;
});

/** Beyond every seq that can occur. */
const END = Number.MAX_SAFE_INTEGER;

/** Each row goes to the branch's starter where its conversation has the row, else to the oldest that has it. */
function* assignOwners(tree: number, branch: number, row: Row, users: Users): Script<void> {
  const starter = number(row.agent);
  const untouched = number(row.adopted) === 0;
  let seq = number(row.fork_seq);
  let callSeq = 0;
  for (const user of users.living) {
    // What the starter owns from the beginning needs no look at each row.
    const owns = untouched && user.agent === starter;
    if (user.seq > seq) {
      if (!owns) yield* run(OWN_MESSAGES, [tree, branch, seq, user.seq, user.agent]);
      seq = user.seq;
    }
    if (user.callSeq > callSeq) {
      if (!owns) yield* run(OWN_CALLS, [tree, branch, callSeq, user.callSeq, user.agent]);
      callSeq = user.callSeq;
    }
  }
  if (!users.current) {
    yield* run(OWN_MESSAGES, [tree, branch, seq, END, null]);
    yield* run(OWN_CALLS, [tree, branch, callSeq, END, null]);
  }
  yield* passShadowedCalls(tree, branch, users.living);
}

/** A call of which an agent has its own copy on a nearer branch isn't its call here. */
function* passShadowedCalls(tree: number, branch: number, living: readonly BranchUser[]): Script<void> {
  const nearer = new Set(living.flatMap((user) => user.path));
  if (nearer.size === 0) return;
  /** By call: the branches that have a copy of it. */
  const shadows = new Map<number, Set<number>>();
  for (const row of yield* run(SHADOWED_CALLS, [
    tree,
    branch,
    JSON.stringify([...nearer].map((passed) => [passed])),
  ])) {
    const callSeq = number(row.call_seq);
    const copies = shadows.get(callSeq) ?? new Set();
    shadows.set(callSeq, copies.add(number(row.branch)));
  }
  for (const [callSeq, copies] of shadows) {
    const heir = living.find(
      (user) => user.callSeq > callSeq && !user.path.some((passed) => copies.has(passed)),
    );
    yield* run(OWN_CALLS, [tree, branch, callSeq, callSeq + 1, heir?.agent ?? null]);
  }
}
