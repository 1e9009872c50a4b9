import { AgentExistsError, ValidationError, VersionConflictError } from '../errors.ts';
import type { CommitResult } from './agent.ts';
import type { EncodedCommit } from './encode-commit.ts';

/** An `operationId` is remembered for so many commits of its agent, and at least for so long. */
export const REMEMBERED_COMMITS = 1_000;
export const REMEMBERED_MS = 24 * 60 * 60 * 1_000;

/** What is remembered of a commit that was made under an `operationId`. */
export interface KnownOperation {
  fingerprint: string;
  result: CommitResult;
}

/** The result of the first commit under this operation's id; undefined if there was none. */
export function repeatedResult(
  agentId: string,
  operation: EncodedCommit['operation'],
  known: KnownOperation | undefined,
): CommitResult | undefined {
  if (!operation || !known) return undefined;
  if (known.fingerprint === operation.fingerprint) return { ...known.result };
  throw new ValidationError(
    'operationId',
    `"${operation.id}" was used for a different change of agent "${agentId}"; give each change an id of its own`,
  );
}

/** Throws unless the agent has the version that the commit expects. `version`: of the agent that is there. */
export function checkVersion(
  agentId: string,
  { expectedVersion: expected, info }: Pick<EncodedCommit, 'expectedVersion' | 'info'>,
  version: number,
): void {
  if (expected === undefined || expected === version) return;
  // That is how an agent is created.
  if (expected === 0 && info) throw new AgentExistsError(agentId);
  throw new VersionConflictError(agentId, expected, version);
}

/** Throws if a compaction stands for more messages than the conversation has after its commit. */
export function checkCompaction({ seq }: { seq: number }, messageCount: number): void {
  if (seq <= messageCount) return;
  throw new ValidationError(
    'compaction.seq',
    `is ${seq}, beyond the ${messageCount} messages of the conversation`,
  );
}
