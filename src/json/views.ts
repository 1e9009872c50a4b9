import type {
  AgentInfo,
  CompactionRecord,
  LoadedAgent,
  Snapshot,
  SnapshotInfo,
  TodoSnapshot,
  WorkingSet,
} from '../model/agent.ts';
import type { Message } from '../model/message.ts';
import { parseJson } from '../model/stored-json.ts';
import { isTerminal, type ToolCallRecord } from '../model/tool-call.ts';
import { toRecord } from '../model/tool-call-record.ts';
import type { StoredCompaction } from './conversation.ts';
import type { StoredMessage } from './entry.ts';
import type { AgentState, HeldSnapshot } from './state.ts';

// What a caller gets is parsed anew each time: it is the caller's, and changing it changes nothing stored.

export function toInfo(state: AgentState): AgentInfo {
  const { header, info, conversation, version, updatedAt } = state;
  const { userId, parentAgentId, parentToolCallId, lastBookmark, breakpoint } = info;
  return {
    agentId: header.agentId,
    templateId: info.templateId,
    ...(userId === null ? {} : { userId }),
    status: info.status,
    createdAt: new Date(header.createdAt),
    updatedAt: new Date(updatedAt),
    configVersion: info.configVersion,
    lineage: [...info.lineage],
    ...(parentAgentId === null ? {} : { parentAgentId }),
    ...(parentToolCallId === null ? {} : { parentToolCallId }),
    messageCount: conversation.messages.length,
    lastSfpIndex: info.lastSfpIndex,
    ...(lastBookmark === null ? {} : { lastBookmark: { ...lastBookmark } }),
    ...(breakpoint === null ? {} : { breakpoint }),
    metadata: toMetadata(info.metadata, header.agentId),
    version,
    attempts: 0,
    ...(info.failure === null ? {} : { failure: { ...info.failure, at: new Date(info.failure.at) } }),
  };
}

export function toMessages(messages: readonly StoredMessage[], agentId: string): Message[] {
  if (messages.length === 0) return [];
  // One parse for all: it is faster than one for each.
  const joined = messages.map((message) => message.payload).join(',');
  return parseJson(`[${joined}]`, `the messages of agent "${agentId}"`) as Message[];
}

/** The last compaction, and the messages that follow those it stands for. */
export function toContext({ conversation, header }: AgentState): Message[] {
  const compaction = conversation.compactions.at(-1);
  if (!compaction) return toMessages(conversation.messages, header.agentId);
  const summary = toCompaction(compaction, header.agentId).messages;
  return [...summary, ...toMessages(conversation.messages.slice(compaction.seq), header.agentId)];
}

export function toCompactions({ conversation, header }: AgentState): CompactionRecord[] {
  return conversation.compactions.map((compaction) => toCompaction(compaction, header.agentId));
}

function toCompaction(compaction: StoredCompaction, agentId: string): CompactionRecord {
  const { seq, messages, metadata, createdAt } = compaction;
  return {
    seq,
    messages: parseJson(messages, `a compaction of agent "${agentId}"`) as Message[],
    ...(metadata === null ? {} : { metadata: toMetadata(metadata, agentId) }),
    createdAt: new Date(createdAt),
  };
}

export function toCalls({ conversation }: AgentState): ToolCallRecord[] {
  return [...conversation.calls.values()].map(toRecord);
}

/** Without a result in the conversation. One that no message asked for has none to expect once it has ended. */
export function toOpenCalls({ conversation }: AgentState): ToolCallRecord[] {
  const open: ToolCallRecord[] = [];
  for (const call of conversation.calls.values()) {
    if (call.resultSeq !== null || (call.messageSeq === null && isTerminal(call.state))) continue;
    open.push(toRecord(call));
  }
  return open;
}

export function toTodos({ todos, header }: AgentState): TodoSnapshot | undefined {
  if (!todos) return undefined;
  return {
    todos: parseJson(todos.payload, `the to-dos of agent "${header.agentId}"`) as unknown[],
    version: todos.version,
    updatedAt: new Date(todos.updatedAt),
  };
}

export function toLoadedAgent(state: AgentState): LoadedAgent {
  const compaction = state.conversation.compactions.at(-1);
  const { agentId } = state.header;
  return {
    info: toInfo(state),
    messages: toMessages(state.conversation.messages, agentId),
    toolCalls: toCalls(state),
    todos: toTodos(state),
    ...(compaction ? { compaction: toCompaction(compaction, agentId) } : {}),
  };
}

export function toWorkingSet(state: AgentState): WorkingSet {
  const { messages, calls, compactions } = state.conversation;
  const compaction = compactions.at(-1);
  const { agentId } = state.header;
  return {
    info: toInfo(state),
    messages: toMessages(compaction ? messages.slice(compaction.seq) : messages, agentId),
    openCalls: toOpenCalls(state),
    callCount: calls.next,
    todos: toTodos(state),
    ...(compaction ? { compaction: toCompaction(compaction, agentId) } : {}),
  };
}

export function toSnapshot(snapshot: HeldSnapshot, agentId: string): Snapshot {
  const { messageCount: _count, ...info } = toSnapshotInfo(snapshot, agentId);
  const { messages, source, position } = snapshot;
  return {
    ...info,
    messages:
      messages === null
        ? toMessages(source.messages.slice(0, position), agentId)
        : (parseJson(messages, `snapshot "${snapshot.id}"`) as Message[]),
  };
}

/** Oldest first. */
export function toSnapshotList({ snapshots, header }: AgentState): SnapshotInfo[] {
  return [...snapshots.values()]
    .map((snapshot) => toSnapshotInfo(snapshot, header.agentId))
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
}

function toSnapshotInfo(snapshot: HeldSnapshot, agentId: string): SnapshotInfo {
  const { id, position, lastSfpIndex, lastBookmark, createdAt, metadata } = snapshot;
  return {
    id,
    messageCount: position,
    lastSfpIndex,
    ...(lastBookmark ? { lastBookmark: { ...lastBookmark } } : {}),
    createdAt: new Date(createdAt),
    ...(metadata === null ? {} : { metadata: toMetadata(metadata, agentId) }),
  };
}

function toMetadata(text: string, agentId: string): Record<string, unknown> {
  return parseJson(text, `metadata of agent "${agentId}"`) as Record<string, unknown>;
}
