import type { AgentState } from '../agent-state.ts';
import { number } from '../codec.ts';
import { type Row, run, type Script } from '../driver.ts';
import { statement } from '../statement.ts';
import { lockBranches } from './branches.ts';
import { insertRow } from './insert.ts';

const SHARED_CALL = statement(
  'shared_call',
  'SELECT * FROM {tool_calls} WHERE tree = $1 AND branch = $2 AND call_seq = $3',
);
const CHILDREN_WITHOUT_COPY = statement(
  'children_without_copy',
  `SELECT b.branch, h.agent FROM {branches} b LEFT JOIN {heads} h ON h.tree = $1 AND h.agent = b.agent
   WHERE b.tree = $1 AND b.parent = $2 AND b.fork_call_seq > $3
     AND NOT EXISTS (SELECT 1 FROM {tool_calls} c WHERE c.tree = $1 AND c.branch = b.branch AND c.call_seq = $3)`,
);

/**
 * Before an agent changes calls that forks share with it, the forks get the rows as they are: what happens
 * to a call in one conversation is none of another's.
 */
export function* giveForksTheirCopies(state: AgentState, callSeqs: readonly number[]): Script<void> {
  const { keys, head } = state;
  yield* lockBranches(keys.tree, [head.branch]);
  for (const callSeq of callSeqs) {
    const [row] = yield* run(SHARED_CALL, [keys.tree, head.branch, callSeq]);
    if (!row) continue;
    const children: Row[] = yield* run(CHILDREN_WITHOUT_COPY, [keys.tree, head.branch, callSeq]);
    for (const child of children) {
      yield* insertRow('tool_calls', { ...row, branch: number(child.branch), owner: child.agent ?? null });
    }
  }
}
