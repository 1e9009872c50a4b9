import { StoreUnavailableError } from '../errors.ts';

/** What a backend says of a write that it can't know the end of. What its caller can do is added at the edge. */
export const UNKNOWN_OUTCOME = 'Whether the write was stored is unknown.';

/** A call by its name; a commit that has an `operationId` is another kind of call. */
export const REPEATABLE_COMMIT = 'commit with an operationId';

const LOOK_FIRST =
  'Load the agent to see, before you repeat it. A commit that has an operationId can be repeated without looking: it is stored once.';
const SAME_AGAIN = 'Repeat it: twice is the same as once.';
const RUNS_OUT = 'A lease that was granted after all runs out by itself. Try again.';

const REMEDIES: Readonly<Record<string, string>> = {
  [REPEATABLE_COMMIT]: 'Repeat it with the same operationId, and it is stored once.',
  commit: LOOK_FIRST,
  appendMessages: LOOK_FIRST,
  saveToolCallRecords: LOOK_FIRST,
  saveInfo: SAME_AGAIN,
  saveMessages: SAME_AGAIN,
  saveTodos: SAME_AGAIN,
  saveSnapshot: SAME_AGAIN,
  saveDocument: SAME_AGAIN,
  deleteDocument: SAME_AGAIN,
  appendEvent: 'Read the newest events to see, before you repeat it.',
  saveDelta: "Don't repeat it: the piece could be there twice. The whole answer takes its place.",
  fork: 'Ask exists() for the agentId that you gave, before you repeat it; without one, the new agent would be among those that list() gives.',
  batchFork: 'The new agents would be among those that list() gives; there are all of them or none.',
  delete: 'Ask exists() to see, or repeat it: an AgentNotFoundError says that it is deleted.',
  decideApproval: 'Repeat it: an AlreadyDecidedError says that it was decided.',
  acquireAgentLock: RUNS_OUT,
  claimResumable: RUNS_OUT,
  release: 'Repeat it, or let the lease run out.',
  close: 'What leases it may still have run out by themselves.',
};

/** The error as the caller of this kind of call is to have it. */
export function withRemedy(error: unknown, call: string): unknown {
  if (!(error instanceof StoreUnavailableError) || error.outcome !== 'unknown') return error;
  const remedy = REMEDIES[call];
  const { message, cause, outcome } = error;
  if (remedy === undefined || !message.includes(UNKNOWN_OUTCOME)) return error;
  return new StoreUnavailableError(message.replace(UNKNOWN_OUTCOME, `${UNKNOWN_OUTCOME} ${remedy}`), {
    cause,
    outcome,
  });
}
