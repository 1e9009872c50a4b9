import type { AgentState, Segment } from './agent-state.ts';
import { number, numberOrNull } from './codec.ts';
import { run, type Script } from './driver.ts';
import type { AgentKeys } from './keys.ts';
import { statementOfArrays } from './statement.ts';
import { AgentStatement, type Whom } from './whom.ts';

/** What a read needs of a branch. */
export type Span = Pick<Segment, 'branch' | 'parent' | 'lo' | 'hi' | 'callLo' | 'callHi' | 'versionHi'>;

/** Where the rows of an agent's conversation are: as much of its state as a read needs. */
export interface Conversation {
  readonly keys: AgentKeys;
  readonly head: Pick<AgentState['head'], 'branch' | 'messageCount' | 'callCount'>;
  readonly chain: readonly Span[];
}

const OWN = new AgentStatement(
  'find_conversation',
  ({ from, where }) =>
    `SELECT h.tree, h.agent, h.message_count, h.call_count, b.branch, b.parent, b.fork_seq, b.fork_call_seq, b.fork_version
     FROM ${from} JOIN {branches} AS b ON b.tree = h.tree AND b.branch = h.branch WHERE ${where}`,
);
const ANCESTOR = statementOfArrays(
  'find_ancestor',
  `SELECT branch, parent, fork_seq, fork_call_seq, fork_version FROM {branches} WHERE tree = $1 AND branch = $2`,
);

/**
 * A look-up for each branch, which, where statements cost little, is less than a recursive query costs before its
 * first row. Most agents have one branch.
 */
export function* findConversation(whom: Whom): Script<Conversation | undefined> {
  const [own] = yield* OWN.run(whom);
  if (!own) return undefined;
  const keys = { tree: number(own[0]), agent: number(own[1]) };
  const messageCount = number(own[2]);
  const callCount = number(own[3]);
  const chain: Span[] = [];
  let row = own.slice(4);
  let hi = messageCount;
  let callHi = callCount;
  let versionHi = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const [branch, parent, lo, callLo, forkVersion] = row;
    const span = {
      branch: number(branch),
      parent: numberOrNull(parent),
      lo: number(lo),
      callLo: number(callLo),
    };
    chain.push({ ...span, hi, callHi, versionHi });
    if (span.parent === null) break;
    const [ancestor] = yield* run(ANCESTOR, [keys.tree, span.parent]);
    if (!ancestor) break;
    row = ancestor;
    hi = Math.min(hi, span.lo);
    callHi = Math.min(callHi, span.callLo);
    versionHi = numberOrNull(forkVersion) ?? Number.MAX_SAFE_INTEGER;
  }
  return { keys, head: { branch: number(own[4]), messageCount, callCount }, chain };
}
