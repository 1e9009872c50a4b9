import { forkedInfo, forkPosition, unknownSnapshot } from '../model/fork-rules.ts';
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
  const { templateId, userId, configVersion, lineage, metadata } = parent.info;
  const first: Entry = {
    n: 1,
    at: createdAt,
    version: 1,
    info: {
      templateId,
      userId,
      configVersion,
      lineage: [...lineage, parent.header.agentId],
      ...forkedInfo(parent.info, point.position, awaitingCopies(history)),
      metadata,
    },
  };
  if (point.whole && parent.todos) first.todos = parent.todos;
  return { header, history, first };
}

function findForkPoint(parent: AgentState, at: string | number | undefined): ForkPoint {
  if (typeof at === 'string') {
    const snapshot = parent.snapshots.get(at);
    if (!snapshot) throw unknownSnapshot(parent.header.agentId, at);
    return { position: snapshot.position, snapshot: at, whole: false };
  }
  const count = parent.conversation.messages.length;
  const position = forkPosition(at, count);
  return { position, whole: position === count };
}
