import { largest } from '../../model/lists.ts';
import { number } from '../codec.ts';
import { run, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';

/** How far a branch is needed by others than who writes to it: messages below `seq`, calls below `callSeq`. */
export interface Need {
  seq: number;
  callSeq: number;
}

const CHILDREN_REACH = statement(
  'children_reach',
  ({
    useIndex,
  }) => `SELECT max(fork_seq) AS seq, max(fork_call_seq) AS calls FROM {branches} ${useIndex('branches_by_parent')}
   WHERE tree = $1 AND parent = $2`,
);
/** A snapshot right where the branch begins needs the copies that it has of earlier calls. */
const SNAPSHOT_REACH = statement(
  'snapshot_reach',
  `SELECT max(s.position) AS seq, max(coalesce(m.call_count, b.fork_call_seq)) AS calls
   FROM {snapshots} s JOIN {branches} b ON b.tree = $1 AND b.branch = $2 LEFT JOIN {messages} m ON m.tree = $1 AND m.branch = $2 AND m.seq = s.position - 1
   WHERE s.tree = $1 AND s.branch = $2`,
);
const SIBLING = statement(
  'sibling_with_as_much',
  ({ useIndex }) => `SELECT 1 AS found FROM {branches} ${useIndex('branches_by_parent')}
   WHERE tree = $1 AND parent = $2 AND fork_seq >= $3 AND fork_call_seq >= $4 LIMIT 1`,
);

/** By the branches that start in it, and by snapshots; undefined where there are none. */
export function* needOf(tree: number, branch: number): Script<Need | undefined> {
  const reaches: Need[] = [];
  for (const reach of [CHILDREN_REACH, SNAPSHOT_REACH]) {
    const [row] = yield* run(reach, [tree, branch]);
    if (row && row.seq !== null) reaches.push({ seq: number(row.seq), callSeq: number(row.calls ?? 0) });
  }
  if (reaches.length === 0) return undefined;
  return {
    seq: largest(reaches.map(({ seq }) => seq)),
    callSeq: largest(reaches.map(({ callSeq }) => callSeq)),
  };
}

/** Whether a branch that starts in `parent` needs as much of it: without this one, no less is needed. */
export function* isNeededAsMuch(tree: number, parent: number, { seq, callSeq }: Need): Script<boolean> {
  return (yield* run(SIBLING, [tree, parent, seq, callSeq])).length > 0;
}
