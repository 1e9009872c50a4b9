import { largest } from '../../model/lists.ts';
import { number } from '../codec.ts';
import type { Script } from '../driver.ts';
import { run } from '../driver.ts';
import { statement } from '../statement.ts';

/** An agent whose conversation contains the beginning of a branch. */
export interface BranchUser {
  agent: number;
  /** Its share of the branch: messages below `seq`, calls below `callSeq`. */
  seq: number;
  callSeq: number;
  /** The branches between its own and this one, its own included. */
  path: number[];
}

export interface Users {
  /** The agent that goes on writing here. */
  current: BranchUser | undefined;
  /** The branch's starter if it is among them, then by age. */
  living: BranchUser[];
  /** How far children and snapshots reach; null without any. */
  needed: { seq: number; callSeq: number } | null;
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

/** A snapshot right where the branch begins needs the copies that it has of earlier calls. */
const SNAPSHOT_REACH = statement(
  'snapshot_reach',
  `SELECT max(s.position) AS seq, max(coalesce(m.call_count, b.fork_call_seq)) AS calls
   FROM {snapshots} s JOIN {branches} b ON b.tree = $1 AND b.branch = $2 LEFT JOIN {messages} m ON m.tree = $1 AND m.branch = $2 AND m.seq = s.position - 1
   WHERE s.tree = $1 AND s.branch = $2`,
);

const END = Number.MAX_SAFE_INTEGER;

export function* findUsers(tree: number, branch: number): Script<Users> {
  const rows = yield* run(DESCENDANTS, [tree, branch]);
  const starter = number(rows[0]?.agent);
  const shares = new Map<number, { seq: number; callSeq: number; path: number[] }>([
    [branch, { seq: END, callSeq: END, path: [] }],
  ]);
  const living: (BranchUser & { createdAt: number })[] = [];
  const reaches: { seq: number; callSeq: number }[] = [];
  for (const row of rows) {
    const own = number(row.branch);
    const depth = number(row.depth);
    const above = depth === 0 ? undefined : shares.get(number(row.parent));
    // What a descendant has of this branch is the least that its line took on the way.
    const share =
      depth === 0
        ? { seq: END, callSeq: END, path: [] }
        : {
            seq: Math.min(above?.seq ?? END, number(row.fork_seq)),
            callSeq: Math.min(above?.callSeq ?? END, number(row.fork_call_seq)),
            path: [...(above?.path ?? []), own],
          };
    shares.set(own, share);
    if (depth === 1) reaches.push(share);
    if (row.living !== null) {
      living.push({ agent: number(row.agent), createdAt: number(row.created_at), ...share });
    }
  }
  const [reach] = yield* run(SNAPSHOT_REACH, [tree, branch]);
  if (reach && reach.seq !== null)
    reaches.push({ seq: number(reach.seq), callSeq: number(reach.calls ?? 0) });
  living.sort(
    (a, b) =>
      Number(b.agent === starter) - Number(a.agent === starter) ||
      a.createdAt - b.createdAt ||
      a.agent - b.agent,
  );
  return {
    current: living.find((user) => user.path.length === 0),
    living,
    needed:
      reaches.length === 0
        ? null
        : {
            seq: largest(reaches.map((share) => share.seq)),
            callSeq: largest(reaches.map((share) => share.callSeq)),
          },
  };
}
