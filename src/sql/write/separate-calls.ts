import { type AgentState, readState } from '../agent-state.ts';
import { number } from '../codec.ts';
import { run, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';
import { HAS_CALL } from '../read/calls.ts';
import { findUsers, nearerBranches } from './branch-users.ts';
import { lockBranches, lockHead } from './free-branches.ts';
import { insertRow } from './insert-row.ts';

const SHARED_CALL = statement(
  'shared_call',
  'SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq = $3',
);
/** Without the index's name, a planner may go through the whole tree for the children. */
const CHILDREN_WITHOUT_COPY = statement(
  'children_without_copy',
  ({ useIndex }) => `SELECT b.branch FROM {branches} b ${useIndex('branches_by_parent')}
     WHERE b.tree = $1 AND b.parent = $2 AND b.fork_call_seq > $3
     AND NOT EXISTS (SELECT 1 FROM {tool_calls} c WHERE c.tree = b.tree AND c.branch = b.branch AND c.call_seq = $3)`,
);
const PASS_CALL = statement(
  'pass_call',
  'UPDATE {tool_calls} SET owner = $4 WHERE tree = $1 AND branch = $2 AND call_seq = $3',
);

/**
 * Before an agent changes calls that others share with it, everybody gets the rows as they are: what happens
 * to a call in one conversation is none of another's. Nothing is done if the agent changed meanwhile.
 */
export function* separateCalls(seen: AgentState, callSeqs: readonly number[]): Script<void> {
  const { tree } = seen.keys;
  yield* lockBranches(
    tree,
    seen.chain.map((segment) => segment.branch),
  );
  if (!(yield* lockHead(seen.keys))) return;
  const state = yield* readState(seen.keys);
  if (state?.head.branch !== seen.head.branch) return;
  for (const callSeq of callSeqs) yield* separateCall(state, callSeq);
}

/** The same of one call, where the conversation's branches and the head are locked. */
export function* separateCall({ keys, head, chain }: AgentState, callSeq: number): Script<void> {
  const { tree, agent } = keys;
  const row = yield* findRow(tree, chain, callSeq);
  if (!row) return;
  const branch = number(row.branch);
  for (const child of yield* run(CHILDREN_WITHOUT_COPY, [tree, head.branch, callSeq])) {
    yield* insertRow('tool_calls', { ...row, branch: number(child.branch), owner: null });
    yield* passCall(tree, number(child.branch), callSeq);
  }
  if (branch === head.branch) return;
  yield* insertRow('tool_calls', { ...row, branch: head.branch, owner: agent });
  if (row.owner !== null && number(row.owner) === agent) yield* passCall(tree, branch, callSeq);
}

function* findRow(tree: number, chain: AgentState['chain'], callSeq: number): Script<Row | undefined> {
  for (const { branch, callHi } of chain) {
    if (callSeq >= callHi) continue;
    const [row] = yield* run(SHARED_CALL, [tree, branch, callSeq]);
    if (row) return row;
  }
  return undefined;
}

/** The row goes to the first user of its branch without a copy of its own. */
function* passCall(tree: number, branch: number, callSeq: number): Script<void> {
  const users = yield* findUsers(tree, branch);
  for (const user of users.living) {
    if (user.callSeq <= callSeq) continue;
    let hasCopy = false;
    for (const nearer of nearerBranches(user, users)) {
      hasCopy ||= (yield* run(HAS_CALL, [tree, nearer, callSeq])).length > 0;
    }
    if (hasCopy) continue;
    yield* run(PASS_CALL, [tree, branch, callSeq, user.agent]);
    return;
  }
  yield* run(PASS_CALL, [tree, branch, callSeq, null]);
}
