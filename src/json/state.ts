import type { AgentStatus, Bookmark, CommitResult, DocumentKind } from '../model/agent.ts';
import type { StoredFailure } from '../model/attempts.ts';
import { Conversation } from './conversation.ts';
import type { LogHeader, StoredOperation, StoredSnapshot, StoredTodos } from './entry.ts';

/** An agent's own facts; null where there is none. */
export interface InfoState {
  templateId: string;
  userId: string | null;
  status: AgentStatus;
  configVersion: string;
  lineage: string[];
  parentAgentId: string | null;
  parentToolCallId: string | null;
  lastSfpIndex: number;
  lastBookmark: Bookmark | null;
  breakpoint: string | null;
  failure: StoredFailure | null;
  /** JSON text. */
  metadata: string;
}

export interface HeldSnapshot extends StoredSnapshot {
  /** The version of the history that a reference is to. */
  source: Conversation;
  /** The entry that it came with. */
  n: number;
}

export interface HeldOperation extends StoredOperation {
  result: CommitResult;
  n: number;
}

export interface HeldDocument {
  kind: DocumentKind;
  name: string;
  createdAt: number;
  updatedAt: number;
  /** The entry that it came with, which names the file of its content. */
  n: number;
}

/** What an agent's log comes to: the entries applied one after the other, and nothing else. */
export interface AgentState {
  readonly header: LogHeader;
  /** The last entry. */
  n: number;
  version: number;
  updatedAt: number;
  /** The newest instant given out: none is earlier than the one before. */
  lastAt: number;
  info: InfoState;
  conversation: Conversation;
  readonly snapshots: Map<string, HeldSnapshot>;
  todos: StoredTodos | undefined;
  /** Of the newest event. */
  cursor: number;
  readonly operations: Map<string, HeldOperation>;
  /** By `documentKey`. */
  readonly documents: Map<string, HeldDocument>;
  /** About how many bytes of the log nobody needs any more. */
  garbage: number;
}

export function documentKey(kind: string, name: string): string {
  return `${kind}/${name}`;
}

/** Before the first entry, or before the first one of a fork's own: then with what it inherited. */
export function emptyState(header: LogHeader, conversation = new Conversation()): AgentState {
  return {
    header,
    n: 0,
    version: 0,
    updatedAt: header.createdAt,
    lastAt: Number.NEGATIVE_INFINITY,
    info: {
      templateId: 'default',
      userId: null,
      status: 'idle',
      configVersion: '1',
      lineage: [],
      parentAgentId: null,
      parentToolCallId: null,
      lastSfpIndex: -1,
      lastBookmark: null,
      breakpoint: null,
      failure: null,
      metadata: '{}',
    },
    conversation,
    snapshots: new Map(),
    todos: undefined,
    cursor: 0,
    operations: new Map(),
    documents: new Map(),
    garbage: 0,
  };
}
