import { ValidationError } from '../errors.ts';
import type { AgentInfo } from './agent.ts';

/** The number of messages that a fork begins with; throws unless the conversation has them. */
export function forkPosition(at: number | undefined, messageCount: number): number {
  const position = at ?? messageCount;
  if (position <= messageCount) return position;
  throw new ValidationError('at', `is ${position}, and the conversation has ${messageCount} messages`);
}

export function unknownSnapshot(agentId: string, snapshotId: string): ValidationError {
  return new ValidationError('at', `agent "${agentId}" has no snapshot "${snapshotId}"`);
}

/** What a fork doesn't simply take over from its source: `awaiting` is the number of its own calls that do. */
export function forkedInfo(
  source: Pick<AgentInfo, 'lastSfpIndex'>,
  position: number,
  awaiting: number,
): Pick<AgentInfo, 'status' | 'lastSfpIndex'> {
  return {
    status: awaiting > 0 ? 'awaiting_approval' : 'idle',
    lastSfpIndex: Math.min(source.lastSfpIndex, position - 1),
  };
}
