import { ValidationError } from '../errors.ts';
import type { Conversation } from './conversation.ts';
import type { Entry, ForkPoint, LogHeader } from './entry.ts';
import { awaitingCopies, inherit } from './inherit.ts';
import { FORMAT } from './lines.ts';
import type { AgentState } from './state.ts';

/** A fork before anything of it is on disk. */
export interface PlannedFork {
  header: LogHeader;
  conversation: Conversation;
  /** The fork's first own entry. */
  first: Entry;
  /** What its parent's log says of it; undefined if the fork begins with nothing. */
  pin: Entry | undefined;
}

export function planFork(
  parent: AgentState,
  at: string | number | undefined,
  target: { agentId: string; key: string },
  now: number,
): PlannedFork {
  const base = findForkPoint(parent, at);
  const createdAt = Math.max(now, parent.lastAt);
  const conversation = inherit(parent, base, createdAt);
  const header: LogHeader = { format: FORMAT, ...target, createdAt };
  if (!isEmpty(conversation)) header.base = base;
  const { templateId, userId, configVersion, lineage, lastSfpIndex, metadata } = parent.info;
  const first: Entry = {
    n: 1,
    at: createdAt,
    version: 1,
    info: {
      templateId,
      userId,
      status: awaitingCopies(conversation) > 0 ? 'awaiting_approval' : 'idle',
      configVersion,
      lineage: [...lineage, parent.header.agentId],
      lastSfpIndex: Math.min(lastSfpIndex, base.position - 1),
      metadata,
    },
  };
  if (base.whole && parent.todos) first.todos = parent.todos;
  const { n, lastAt, version } = parent;
  const pin = header.base && { n: n + 1, at: lastAt, version, fork: target };
  return { header, conversation, first, pin };
}

function isEmpty({ messages, calls, compactions }: Conversation): boolean {
  return messages.length === 0 && calls.next === 0 && compactions.length === 0;
}

function findForkPoint(parent: AgentState, at: string | number | undefined): ForkPoint {
  const { agentId, key } = parent.header;
  const place = { agentId, key, n: parent.historyN };
  if (typeof at === 'string') {
    const snapshot = parent.snapshots.get(at);
    if (!snapshot) throw new ValidationError('at', `agent "${agentId}" has no snapshot "${at}"`);
    const { position } = snapshot;
    return { ...place, position, snapshot: at, whole: false, need: position };
  }
  const count = parent.conversation.messages.length;
  const position = at ?? count;
  if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0) {
    throw new ValidationError('at', 'must be a snapshot id or a whole number of messages, 0 or more');
  }
  if (position > count) {
    throw new ValidationError('at', `is ${position}, and the conversation has ${count} messages`);
  }
  return { ...place, position, whole: position === count, need: position };
}
