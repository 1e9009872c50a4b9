import type { CommitResult } from '../../model/agent.ts';
import type { EncodedCommit } from '../../model/encode-commit.ts';
import { type AgentState, readState } from '../agent-state.ts';
import type { AgentKeys } from '../keys.ts';
import type { BatchOutcome } from '../port/batch.ts';
import { runBatch, type Script } from '../port/driver.ts';
import { readCalls } from '../read/calls.ts';
import { cutConversation } from './cut.ts';
import { type CommitPlan, planCommit } from './plan.ts';
import { separateCall } from './separate-calls.ts';

/** Thrown to roll the cut back when the commit on top of it is refused. */
export class RewriteRefused extends Error {
  readonly outcome: BatchOutcome;

  constructor(outcome: BatchOutcome) {
    super('The commit after a cut was refused');
    this.outcome = outcome;
  }
}

/** On what is left, with rows of its own for the calls that it changes and others share: the locks are held. */
function* planRest(keys: AgentKeys, change: EncodedCommit, now: number): Script<CommitPlan | undefined> {
  for (;;) {
    const state = yield* readState(keys);
    if (!state) return undefined;
    state.known.add(yield* readCalls(state));
    const plan = planCommit(state, change, { now });
    for (const callSeq of plan.shared) yield* separateCall(state, callSeq);
    if (!plan.inherits) return plan;
  }
}

/** Cuts the conversation back to `keep` messages and commits the new tail; undefined to try again. */
export function* rewriteConversation(
  before: AgentState,
  keep: number,
  newBranch: number,
  change: EncodedCommit,
  now: number,
): Script<CommitResult | undefined> {
  if (!(yield* cutConversation(before.keys, before.head, keep, newBranch))) return undefined;
  const plan = yield* planRest(before.keys, change, now);
  if (!plan) return undefined;
  const outcome = yield* runBatch(plan.batch);
  if (!outcome.applied) throw new RewriteRefused(outcome);
  return { version: plan.next.version, messageCount: plan.next.messageCount, cursor: outcome.cursor };
}
