import type { HeldSegment } from '../chain.ts';
import { number } from '../codec.ts';
import { run, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';
import { HAS_CALL } from '../read/calls.ts';
import { nearerBranches, readDescendants, type Users, usersOf } from './branch-users.ts';

/** A branch whose rows may be shown under other agents than before. */
interface LeftBranch {
  branch: number;
  starter: number;
  /** Its first message. */
  lo: number;
  /** Its starter goes on writing to it. */
  isWritten: boolean;
  /** Rows of it may have other owners than its starter. */
  isAdopted: boolean;
}

const OWNS_ROWS = statement(
  'owns_rows',
  `SELECT 1 AS found FROM {messages} WHERE tree = $1 AND branch = $2 AND seq = $4 - 1 AND owner = $3
   UNION ALL
   SELECT 1 FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq < $5 AND owner = $3 LIMIT 1`,
);
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
const COPIED_CALLS = statement('copied_calls', ({ rowsOfList, joinByKey }) => {
  const begun = joinByKey('branches', 'b', 'b.tree = $1 AND b.branch = n.branch');
  const own = 'own.tree = b.tree AND own.branch = b.branch AND own.call_seq < b.fork_call_seq';
  return `SELECT own.branch, own.call_seq FROM (${rowsOfList('$2', { branch: 'bigint' })}) AS n ${begun}
     ${joinByKey('tool_calls', 'own', own)}`;
});

/** Beyond every seq that can occur. */
const END = Number.MAX_SAFE_INTEGER;

/**
 * Whether an agent owns rows of a segment that was its part of another's branch. Of messages it owned the last one
 * then: those who are older have what is before.
 */
export function* ownsRows(
  tree: number,
  { branch, hi, callHi }: Pick<HeldSegment, 'branch' | 'hi' | 'callHi'>,
  agent: number,
): Script<boolean> {
  return (yield* run(OWNS_ROWS, [tree, branch, agent, hi, callHi])).length > 0;
}

/**
 * Each row goes to the branch's starter where its conversation has the row, else to the oldest that has it. The
 * branches are of one chain, the nearest first.
 */
export function* assignOwners(tree: number, branches: readonly LeftBranch[]): Script<void> {
  const farthest = branches.at(-1);
  if (!farthest) return;
  const descendants = yield* readDescendants(tree, farthest.branch);
  const copies = yield* readCopies(tree, descendants.slice(1));
  for (const left of branches) {
    const users = usersOf(descendants, left.branch);
    yield* assignRanges(tree, left, users);
    yield* passCopiedCalls(tree, left.branch, users, copies);
  }
}

function* assignRanges(tree: number, left: LeftBranch, { living }: Users): Script<void> {
  const { branch, starter } = left;
  let seq = left.lo;
  let callSeq = 0;
  for (const user of living) {
    // What the starter owns from the beginning needs no look at each row.
    const owns = !left.isAdopted && user.agent === starter;
    if (user.seq > seq) {
      if (!owns) yield* run(OWN_MESSAGES, [tree, branch, seq, user.seq, user.agent]);
      seq = user.seq;
    }
    if (user.callSeq > callSeq) {
      if (!owns) yield* run(OWN_CALLS, [tree, branch, callSeq, user.callSeq, user.agent]);
      callSeq = user.callSeq;
    }
  }
  if (left.isWritten) return;
  yield* run(OWN_MESSAGES, [tree, branch, seq, END, null]);
  yield* run(OWN_CALLS, [tree, branch, callSeq, END, null]);
}

/** By call, the branches that have a copy of it. */
type Copies = ReadonlyMap<number, ReadonlySet<number>>;

function* readCopies(tree: number, branches: readonly Row[]): Script<Copies> {
  const copies = new Map<number, Set<number>>();
  if (branches.length === 0) return copies;
  const list = JSON.stringify(branches.map(({ branch }) => [branch]));
  for (const row of yield* run(COPIED_CALLS, [tree, list])) {
    const callSeq = number(row.call_seq);
    copies.set(callSeq, (copies.get(callSeq) ?? new Set()).add(number(row.branch)));
  }
  return copies;
}

/** A call of which an agent has its own copy on a nearer branch isn't its call here. */
function* passCopiedCalls(tree: number, branch: number, users: Users, copies: Copies): Script<void> {
  for (const [callSeq, having] of copies) {
    const isCopiedBelow = [...having].some((other) => users.parents.has(other));
    if (!isCopiedBelow || (yield* run(HAS_CALL, [tree, branch, callSeq])).length === 0) continue;
    const next = users.living.find(
      (user) => user.callSeq > callSeq && !hasOneOf(having, nearerBranches(user, users)),
    );
    yield* run(OWN_CALLS, [tree, branch, callSeq, callSeq + 1, next?.agent ?? null]);
  }
}

function hasOneOf(set: ReadonlySet<number>, values: Iterable<number>): boolean {
  for (const value of values) if (set.has(value)) return true;
  return false;
}
