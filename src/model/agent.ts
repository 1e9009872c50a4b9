import type { Message } from './message.ts';
import type { ToolCallRecord, ToolCallUpdate } from './tool-call.ts';

/**
 * What an agent does or waits for. `interrupted`: its turn was stopped, or ended with an error; `failed`:
 * workers were given the turn as often as they may be, and none ended it.
 */
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
  /** The cursor of the newest event at the time. */
  seq: number;
  /** That event's instant in epoch milliseconds. */
  timestamp: number;
}

/** Why the last turn, or the last worker's attempt at it, ended. */
export interface AgentFailure {
  /** The error's code, or its name. */
  code: string;
  /** The error's message. */
  message: string;
  /** When the attempt ended. */
  at: Date;
}

/** What is stored of an agent beside its conversation. */
export interface AgentInfo {
  /** 1 to 255 bytes, without slashes, backslashes and control characters. */
  agentId: string;
  /** What kind of agent it is: 1 to 255 bytes. */
  templateId: string;
  /** Whose agent it is. */
  userId?: string;
  /** What it does or waits for. */
  status: AgentStatus;
  /** When it was made. */
  createdAt: Date;
  /** When its state changed last. Kept by the store. */
  updatedAt: Date;
  /** A name of the caller's for the configuration. Default: `'1'`. */
  configVersion: string;
  /** Ids of the agents that this one was forked from, oldest ancestor first. */
  lineage: string[];
  /** The agent that started this one as a helper, and the tool call that did it. */
  parentAgentId?: string;
  /** The call's `toolCallId`. */
  parentToolCallId?: string;
  /** Kept by the store; ignored in what a caller passes. */
  messageCount: number;
  /** A mark of the caller's: the last message at which a fork is safe. -1 or more; default: -1. */
  lastSfpIndex: number;
  /** A mark of the caller's: how far the timeline was seen. */
  lastBookmark?: Bookmark;
  /** A mark of the caller's: where its runtime stands. */
  breakpoint?: string;
  /** An object of the caller's, for filters too. Default: `{}`. */
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

/** The to-dos of an agent, as one list. */
export interface TodoSnapshot {
  /** Items of any form that JSON can represent. */
  todos: unknown[];
  /** Number of the list. Default: the agent's version that it was saved with. */
  version?: number;
  /** When it was made. Default: when it was saved. */
  updatedAt?: Date;
}

/**
 * Who an event is for: `progress` shows a turn to its readers, `control` tells of decisions, `monitor` is for
 * whoever looks after the agents.
 */
export type Channel = 'progress' | 'control' | 'monitor';
export const CHANNELS: readonly Channel[] = ['progress', 'control', 'monitor'];

/** An entry for an agent's timeline. Everything beside `channel` and `type` is the caller's. */
export interface NewEvent {
  /** Who it is for. */
  channel: Channel;
  /** What it tells of: 1 to 255 bytes. */
  type: string;
  [key: string]: unknown;
}

/** An event of an agent's timeline. */
export interface StoredEvent {
  /** 1-based, gap-free per agent, in commit order, over all channels. */
  cursor: number;
  /** The place of this event, with its instant. */
  bookmark: Bookmark;
  /** As it was given. */
  event: NewEvent;
}

/** For the model, the first `seq` messages are replaced by `messages`. The archive keeps them. */
export interface Compaction {
  /** Number of messages replaced: those with a seq below it. */
  seq: number;
  /** What stands in their place: a summary, for example. */
  messages: Message[];
  /** An object of the caller's. */
  metadata?: Record<string, unknown>;
}

/** A compaction that was stored. */
export interface CompactionRecord extends Compaction {
  /** When it was committed. */
  createdAt: Date;
}

/** What one call of a model cost. Tokens are whole numbers; of milliseconds, fractions are rounded. */
export interface ModelUsage {
  /** The model's name, for statistics: 1 to 255 bytes. */
  model: string;
  /** Tokens of the prompt, cached ones included. */
  inputTokens?: number;
  /** Tokens of the answer, reasoning included. */
  outputTokens?: number;
  /** Those of `inputTokens` that came from a cache of the provider. */
  cachedTokens?: number;
  /** Those of `outputTokens` that were spent on reasoning. */
  reasoningTokens?: number;
  /** Milliseconds from the request to the end of the answer. */
  latencyMs?: number;
  /** Milliseconds from the request to the first piece of the answer. */
  timeToFirstTokenMs?: number;
  /** Hash of the system prompt, tools and settings that the step ran with. */
  configHash?: string;
}

/** A named position in a conversation. A snapshot of the same id is replaced. */
export interface NewSnapshot {
  /** Unique within the agent: 1 to 255 bytes. */
  id: string;
  /** Without messages: the conversation as it is after the commit. */
  messages?: Message[] | undefined;
  /** Without messages: how many of the conversation's it keeps. Default: all. */
  messageCount?: number | undefined;
  /** Default: the agent's. */
  lastSfpIndex?: number | undefined;
  /** A mark of the caller's. */
  lastBookmark?: Bookmark | undefined;
  /** Default: when it is saved. */
  createdAt?: Date | undefined;
  /** An object of the caller's. */
  metadata?: Record<string, unknown> | undefined;
}

/** A snapshot with its messages. */
export interface Snapshot {
  /** Unique within the agent. */
  id: string;
  /** The conversation up to it. */
  messages: Message[];
  /** The agent's at that time. */
  lastSfpIndex: number;
  /** As it was given. */
  lastBookmark?: Bookmark;
  /** When it was made. */
  createdAt: Date;
  /** An object of the caller's. */
  metadata?: Record<string, unknown>;
}

/** A snapshot in a list: its position without its messages. */
export interface SnapshotInfo {
  /** Unique within the agent. */
  id: string;
  /** How many messages it has. */
  messageCount: number;
  /** The agent's at that time. */
  lastSfpIndex: number;
  /** As it was given. */
  lastBookmark?: Bookmark;
  /** When it was made. */
  createdAt: Date;
  /** An object of the caller's. */
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

/** A document of an agent, for state that a conversation has no place for. */
export interface AgentDocument {
  /** Which of the four kinds of state it is. */
  kind: DocumentKind;
  /** Unique within the agent and kind: a timestamp, a file's path. */
  name: string;
  /** Anything that JSON can represent. */
  content: unknown;
  /** When it was saved first. */
  createdAt: Date;
  /** When it was saved last. */
  updatedAt: Date;
}

/** Everything that makes up an agent, as of one moment. */
export interface LoadedAgent {
  /** As of `loadInfo`. */
  info: AgentInfo;
  /** As of `loadMessages`: all of them. */
  messages: Message[];
  /** As of `loadToolCallRecords`: all of them, in the order of `callSeq`. */
  toolCalls: ToolCallRecord[];
  /** Undefined when none were saved. */
  todos: TodoSnapshot | undefined;
  /** The last one. Absent when there is none. */
  compaction?: CompactionRecord;
}

/** What is needed to go on with an agent, however long its archive is, as of one moment. */
export interface WorkingSet {
  /** As of `loadInfo`. */
  info: AgentInfo;
  /** The last compaction. What the model sees begins with its messages. */
  compaction?: CompactionRecord;
  /** The messages that follow those which the compaction stands for; without one, all. */
  messages: Message[];
  /** As of `loadOpenCalls`. */
  openCalls: ToolCallRecord[];
  /** How many tool calls the conversation has: the ordinal that the next one gets. */
  callCount: number;
  /** Undefined when none were saved. */
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
  /** Appended to the conversation. `tool_use` blocks open calls, `tool_result` blocks answer them. */
  messages?: Message[] | undefined;
  /** What became of tool calls, after what `messages` did to them. */
  toolCalls?: ToolCallUpdate[] | undefined;
  /** Appended to the timeline, in this order. */
  events?: NewEvent[] | undefined;
  /** Replaces the to-dos. */
  todos?: TodoSnapshot | undefined;
  /** One entry for each call of a model. */
  usage?: ModelUsage[] | undefined;
  /** Fields of the agent to change; absent ones stay, `null` clears an optional one. */
  info?: AgentInfoInput | undefined;
  /** For the model, its messages stand for the first ones of the conversation. */
  compaction?: Compaction | undefined;
  /** A named position, as the conversation is after this commit. */
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
  /** The lease that the writer holds. Needed while anybody holds one, but for events alone. */
  lease?: LeaseToken | undefined;
  /** A repetition under the same id returns the first result and stores nothing. */
  operationId?: string | undefined;
}

/** What an agent is after a commit. */
export interface CommitResult {
  /** Raised by one, unless only events were committed. */
  version: number;
  /** Messages of the conversation. */
  messageCount: number;
  /** The cursor of the agent's newest event; 0 when it has none. */
  cursor: number;
}

/** What identifies a lease's holder in the database. */
export interface LeaseToken {
  /** The agent that it gives the right to write to. */
  readonly agentId: string;
  /** Fencing token: rises with each new holder. */
  readonly token: number;
  /** Random id of the holder, so that an agent created anew revives no old lease. */
  readonly holderId: string;
}
