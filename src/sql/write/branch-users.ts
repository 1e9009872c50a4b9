import { number } from '../codec.ts';
import type { Script } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';

/** An agent whose conversation contains the beginning of a branch. */
export interface BranchUser {
  agent: number;
  /** Its share of the branch: messages below `seq`, calls below `callSeq`. */
  seq: number;
  callSeq: number;
  /** Its own branch. */
  branch: number;
}

export interface Users {
  /** The branches below this one, each with the one that it starts in. */
  parents: ReadonlyMap<number, number>;
  /** The branch's starter if it is among them, then by age. */
  living: BranchUser[];
}

/** Left alone, a planner may go through the whole tree for each branch. CROSS JOIN keeps the order where it matters. */
const DESCENDANTS = statement(
  'branch_descendants',
  ({ useIndex }) => `WITH RECURSIVE below AS (
     SELECT 0 AS depth, tree, branch, parent, agent, fork_seq, fork_call_seq FROM {branches}
     WHERE tree = $1 AND branch = $2
     UNION ALL
     SELECT p.depth + 1, c.tree, c.branch, c.parent, c.agent, c.fork_seq, c.fork_call_seq
     FROM below p CROSS JOIN {branches} c ${useIndex('branches_by_parent')} WHERE c.tree = p.tree AND c.parent = p.branch)
   SELECT b.depth, b.branch, b.parent, b.agent, b.fork_seq, b.fork_call_seq, h.agent AS living, a.created_at
   FROM below b
     LEFT JOIN {heads} h ON h.tree = b.tree AND h.agent = b.agent AND h.branch = b.branch
     LEFT JOIN {agents} a ON a.tree = h.tree AND a.agent = h.agent
   ORDER BY b.depth`,
);

const END = Number.MAX_SAFE_INTEGER;

/** The branches below one, and itself, as rows, nearest first: what `usersOf` looks at. */
export function* readDescendants(tree: number, branch: number): Script<Row[]> {
  return yield* run(DESCENDANTS, [tree, branch]);
}

/** The users of a branch, which is the one that these are descendants of, or one of them. */
export function usersOf(descendants: readonly Row[], branch: number): Users {
  const shares = new Map<number, { seq: number; callSeq: number }>([[branch, { seq: END, callSeq: END }]]);
  const parents = new Map<number, number>();
  const living: (BranchUser & { createdAt: number })[] = [];
  let starter = 0;
  for (const row of descendants) {
    const own = number(row.branch);
    if (own === branch) starter = number(row.agent);
    const parent = number(row.parent ?? 0);
    const above = own === branch ? undefined : shares.get(parent);
    if (own !== branch && !above) continue;
    let share = { seq: END, callSeq: END };
    if (above) {
      // What a descendant has of this branch is the least that its chain took on the way.
      share = {
        seq: Math.min(above.seq, number(row.fork_seq)),
        callSeq: Math.min(above.callSeq, number(row.fork_call_seq)),
      };
      parents.set(own, parent);
      shares.set(own, share);
    }
    if (row.living !== null) {
      living.push({ agent: number(row.agent), branch: own, createdAt: number(row.created_at), ...share });
    }
  }
  living.sort(
    (a, b) =>
      Number(b.agent === starter) - Number(a.agent === starter) ||
      a.createdAt - b.createdAt ||
      a.agent - b.agent,
  );
  return { parents, living };
}

export function* findUsers(tree: number, branch: number): Script<Users> {
  return usersOf(yield* readDescendants(tree, branch), branch);
}

/** The branches from a user's own, itself included, up to before the one that is used. */
export function* nearerBranches(
  { branch }: BranchUser,
  { parents }: Pick<Users, 'parents'>,
): Generator<number> {
  for (let nearer: number | undefined = branch; nearer !== undefined && parents.has(nearer); ) {
    yield nearer;
    nearer = parents.get(nearer);
  }
}
