import type { Message } from './message.ts';
import type { ToolCallRecord, ToolCallUpdate } from './tool-call.ts';

export type AgentStatus = 'idle' | 'running' | 'awaiting_approval' | 'interrupted' | 'failed';

export const AGENT_STATUSES: readonly AgentStatus[] = [
  'idle',
  'running',
  'awaiting_approval',
  'interrupted',
  'failed',
];

/** A place on an agent's timeline. `seq` is the cursor; `timestamp` is in epoch milliseconds. */
export interface Bookmark {
  seq: number;
  timestamp: number;
}

/** Why the last turn, or the last worker's attempt at it, ended. */
export interface AgentFailure {
  /** The error's code, or its name. */
  code: string;
  message: string;
  at: Date;
}

export interface AgentInfo {
  agentId: string;
  templateId: string;
  userId?: string;
  status: AgentStatus;
  createdAt: Date;
  updatedAt: Date;
  configVersion: string;
  /** Ids of the agents that this one was forked from, oldest ancestor first. */
  lineage: string[];
  /** The agent that started this one as a helper, and the tool call that did it. */
  parentAgentId?: string;
  parentToolCallId?: string;
  /** Kept by the store; ignored in what a caller passes. */
  messageCount: number;
  lastSfpIndex: number;
  lastBookmark?: Bookmark;
  breakpoint?: string;
  metadata: Record<string, unknown>;
  /** Raised by one by every commit of state. Kept by the store. */
  version: number;
  /** How often `claimResumable` gave the agent out since its last whole answer, or input. Kept by the store. */
  attempts: number;
  /** Absent once the agent answered, or was given something new to do. */
  failure?: AgentFailure;
}

/**
 * What a caller may say about an agent. `messageCount`, `version`, `updatedAt` and `attempts` are ignored. A
 * `failure` of null forgets the attempts too.
 */
export type AgentInfoInput = { [K in Exclude<keyof AgentInfo, 'failure'>]?: AgentInfo[K] | undefined } & {
  failure?: (Omit<AgentFailure, 'at'> & { at?: Date | undefined }) | null | undefined;
};

export interface TodoSnapshot {
  todos: unknown[];
  version?: number;
  updatedAt?: Date;
}

export type Channel = 'progress' | 'control' | 'monitor';
export const CHANNELS: readonly Channel[] = ['progress', 'control', 'monitor'];

/** An entry for an agent's timeline. Everything beside `channel` and `type` is the caller's. */
export interface NewEvent {
  channel: Channel;
  type: string;
  [key: string]: unknown;
}

export interface StoredEvent {
  /** 1-based, gap-free per agent, in commit order, over all channels. */
  cursor: number;
  bookmark: Bookmark;
  event: NewEvent;
}

/** For the model, the first `seq` messages are replaced by `messages`. The archive keeps them. */
export interface Compaction {
  /** Number of messages replaced: those with a seq below it. */
  seq: number;
  messages: Message[];
  metadata?: Record<string, unknown>;
}

export interface CompactionRecord extends Compaction {
  createdAt: Date;
}

export interface ModelUsage {
  model: string;
  inputTokens?: number;
  outputTokens?: number;
  cachedTokens?: number;
  reasoningTokens?: number;
  latencyMs?: number;
  timeToFirstTokenMs?: number;
  /** Hash of the system prompt, tools and settings that the step ran with. */
  configHash?: string;
}

export interface NewSnapshot {
  id: string;
  /** Without messages: the conversation as it is after the commit. */
  messages?: Message[] | undefined;
  /** Without messages: how many of the conversation's it keeps. Default: all. */
  messageCount?: number | undefined;
  lastSfpIndex?: number | undefined;
  lastBookmark?: Bookmark | undefined;
  createdAt?: Date | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export interface Snapshot {
  id: string;
  messages: Message[];
  lastSfpIndex: number;
  lastBookmark?: Bookmark;
  createdAt: Date;
  metadata?: Record<string, unknown>;
}

/** A snapshot in a list: its position without its messages. */
export interface SnapshotInfo {
  id: string;
  messageCount: number;
  lastSfpIndex: number;
  lastBookmark?: Bookmark;
  createdAt: Date;
  metadata?: Record<string, unknown>;
}

/** A piece of streamed text, as its writer chose it. Pieces are appended, and removed with their step. */
export type Delta = Record<string, unknown>;

/** Further kinds of state that agent runtimes keep per agent. */
export type DocumentKind = 'history-window' | 'compression' | 'recovered-file' | 'media-cache';

export const DOCUMENT_KINDS: readonly DocumentKind[] = [
  'history-window',
  'compression',
  'recovered-file',
  'media-cache',
];

export interface AgentDocument {
  kind: DocumentKind;
  /** Unique within the agent and kind: a timestamp, a file's path. */
  name: string;
  content: unknown;
  createdAt: Date;
  updatedAt: Date;
}

/** Everything that makes up an agent, as of one moment. */
export interface LoadedAgent {
  info: AgentInfo;
  messages: Message[];
  toolCalls: ToolCallRecord[];
  todos: TodoSnapshot | undefined;
  compaction?: CompactionRecord;
}

/** What is needed to go on with an agent, however long its archive is, as of one moment. */
export interface WorkingSet {
  info: AgentInfo;
  /** The last compaction. What the model sees begins with its messages. */
  compaction?: CompactionRecord;
  /** The messages that follow those which the compaction stands for; without one, all. */
  messages: Message[];
  /** As of `loadOpenCalls`. */
  openCalls: ToolCallRecord[];
  /** How many tool calls the conversation has: the ordinal that the next one gets. */
  callCount: number;
  todos: TodoSnapshot | undefined;
}

/**
 * Everything that a step produced, stored in one transaction: all of it or none of it.
 *
 * @example
 * await store.commit(agentId, {
 *   messages: [{ role: 'assistant', content: [{ type: 'text', text: 'Done.' }] }],
 *   events: [{ channel: 'progress', type: 'done' }],
 *   info: { status: 'idle' },
 *   lease,
 *   operationId: `${turnId}:3`,
 * });
 */
export interface TurnCommit {
  messages?: Message[] | undefined;
  toolCalls?: ToolCallUpdate[] | undefined;
  events?: NewEvent[] | undefined;
  todos?: TodoSnapshot | undefined;
  usage?: ModelUsage[] | undefined;
  info?: AgentInfoInput | undefined;
  compaction?: Compaction | undefined;
  snapshot?: NewSnapshot | undefined;
  /**
   * When it happened (default: now); an array gives each message its own instant. For imports. Later instants of the
   * agent are never before it, so one that is more than 5 minutes ahead of the database's clock is refused.
   */
  at?: Date | Date[] | undefined;
  /** Takes an `at` in the future all the same. */
  allowFuture?: boolean | undefined;
  /** Refuse with `VersionConflictError` unless the agent is at this version; 0 creates the agent. */
  expectedVersion?: number | undefined;
  lease?: LeaseToken | undefined;
  /** A repetition under the same id returns the first result and stores nothing. */
  operationId?: string | undefined;
}

export interface CommitResult {
  version: number;
  messageCount: number;
  /** The cursor of the agent's newest event; 0 when it has none. */
  cursor: number;
}

/** What identifies a lease's holder in the database. */
export interface LeaseToken {
  readonly agentId: string;
  /** Fencing token: rises with each new holder. */
  readonly token: number;
  /** Random id of the holder, so that an agent created anew revives no old lease. */
  readonly holderId: string;
}
