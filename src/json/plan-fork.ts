import { ValidationError } from '../errors.ts';
import type { NewAgent } from './agent-files.ts';
import type { Entry, ForkPoint, LogHeader } from './entry.ts';
import { awaitingCopies, inherit } from './inherit.ts';
import { FORMAT } from './lines.ts';
import type { AgentState } from './state.ts';

/** Pure: a fork of an agent in this state. It needs nothing of its parent from then on. */
export function planFork(
  parent: AgentState,
  at: string | number | undefined,
  target: { agentId: string; key: string },
  now: number,
): NewAgent {
  const point = findForkPoint(parent, at);
  const createdAt = Math.max(now, parent.lastAt);
  const history = inherit(parent, point, createdAt);
  const header: LogHeader = { format: FORMAT, ...target, createdAt };
  const { templateId, userId, configVersion, lineage, lastSfpIndex, metadata } = parent.info;
  const first: Entry = {
    n: 1,
    at: createdAt,
    version: 1,
    info: {
      templateId,
      userId,
      status: awaitingCopies(history) > 0 ? 'awaiting_approval' : 'idle',
      configVersion,
      lineage: [...lineage, parent.header.agentId],
      lastSfpIndex: Math.min(lastSfpIndex, point.position - 1),
      metadata,
    },
  };
  if (point.whole && parent.todos) first.todos = parent.todos;
  return { header, history, first };
}

function findForkPoint(parent: AgentState, at: string | number | undefined): ForkPoint {
  if (typeof at === 'string') {
    const snapshot = parent.snapshots.get(at);
    if (!snapshot)
      throw new ValidationError('at', `agent "${parent.header.agentId}" has no snapshot "${at}"`);
    return { position: snapshot.position, snapshot: at, whole: false };
  }
  const count = parent.conversation.messages.length;
  const position = at ?? count;
  if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0) {
    throw new ValidationError('at', 'must be a snapshot id or a whole number of messages, 0 or more');
  }
  if (position > count) {
    throw new ValidationError('at', `is ${position}, and the conversation has ${count} messages`);
  }
  return { position, whole: position === count };
}
