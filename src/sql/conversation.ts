import type { AgentState } from './agent-state.ts';
import { ChainWalk, type Segment } from './chain.ts';
import { number, numberOrNull } from './codec.ts';
import type { AgentKeys } from './keys.ts';
import { AgentStatement, type Lookup } from './lookup.ts';
import { run, type Script } from './port/driver.ts';
import { statementOfArrays } from './port/statement.ts';
import type { SqlValue } from './port/values.ts';

/** Where the rows of an agent's conversation are: as much of its state as a read needs. */
export interface Conversation {
  readonly keys: AgentKeys;
  readonly head: Pick<AgentState['head'], 'branch' | 'messageCount' | 'callCount'>;
  readonly chain: readonly Segment[];
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
export function* findConversation(lookup: Lookup): Script<Conversation | undefined> {
  const [own] = yield* OWN.run(lookup);
  if (!own) return undefined;
  const keys = { tree: number(own[0]), agent: number(own[1]) };
  const messageCount = number(own[2]);
  const callCount = number(own[3]);
  const walk = new ChainWalk({ messageCount, callCount });
  const chain: Segment[] = [];
  for (let row: SqlValue[] | undefined = own.slice(4); row; ) {
    const [branch, parent, forkSeq, forkCallSeq, forkVersion] = row;
    const segment = walk.next({
      branch: number(branch),
      parent: numberOrNull(parent),
      forkSeq: number(forkSeq),
      forkCallSeq: number(forkCallSeq),
      forkVersion: numberOrNull(forkVersion),
    });
    chain.push(segment);
    row = segment.parent === null ? undefined : (yield* run(ANCESTOR, [keys.tree, segment.parent]))[0];
  }
  return { keys, head: { branch: number(own[4]), messageCount, callCount }, chain };
}
