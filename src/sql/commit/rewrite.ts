import type { CommitResult } from '../../model/agent.ts';
import type { EncodedCommit } from '../../model/encode-commit.ts';
import { type AgentState, readState } from '../agent-state.ts';
import type { BatchOutcome } from '../batch.ts';
import { runBatch, type Script } from '../driver.ts';
import { readCalls } from '../nouns/calls.ts';
import { cutConversation } from '../nouns/rewrite.ts';
import { planCommit } from './plan.ts';

/** Thrown to roll the cut back when the commit on top of it is refused. */
export class RewriteRefused extends Error {
  readonly outcome: BatchOutcome;

  constructor(outcome: BatchOutcome) {
    super('The commit after a cut was refused');
    this.outcome = outcome;
  }
}

/** Cuts the conversation back to `keep` messages and commits the new tail; undefined to try again. */
export function* rewriteConversation(
  before: AgentState,
  keep: number,
  newBranch: number,
  change: EncodedCommit,
): Script<CommitResult | undefined> {
  if (!(yield* cutConversation(before.keys, before.head, keep, newBranch))) return undefined;
  const state = yield* readState(before.keys);
  if (!state) return undefined;
  state.known.add(yield* readCalls(state));
  const plan = planCommit(state, change, { now: Date.now() });
  const outcome = yield* runBatch(plan.batch);
  if (!outcome.applied) throw new RewriteRefused(outcome);
  return { version: plan.next.version, messageCount: plan.next.messageCount, cursor: outcome.cursor };
}
