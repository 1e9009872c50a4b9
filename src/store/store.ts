import type { LeaseHolder } from '../errors.ts';
import type {
  AgentDocument,
  AgentInfo,
  AgentInfoInput,
  Channel,
  CommitResult,
  CompactionRecord,
  Delta,
  DocumentKind,
  LeaseToken,
  LoadedAgent,
  NewEvent,
  NewSnapshot,
  Snapshot,
  SnapshotInfo,
  StoredEvent,
  TodoSnapshot,
  TurnCommit,
  WorkingSet,
} from '../model/agent.ts';
import type { Message, MessageRecord } from '../model/message.ts';
import type { AgentToolCallRecord, ToolCallRecord, ToolCallUpdate } from '../model/tool-call.ts';
import type {
  AgentStats,
  MessageQueryFilter,
  SessionQueryFilter,
  SortOrder,
  StatsFilter,
  ToolCallQueryFilter,
} from './filters.ts';

/** Given to the narrow calls by a caller that holds the agent's lease. */
export interface WriteOptions {
  lease?: LeaseToken | undefined;
}

export interface LeaseOptions {
  /** Time to live in milliseconds after which a dead holder's lease ends. Default 15,000. */
  ttlMs?: number | undefined;
  /** How long to wait for another holder, in milliseconds. Default 0: fail at once. */
  waitMs?: number | undefined;
  /** A name for whoever holds the lease, for others to see. Default: the store's option `holder`. */
  holder?: string | undefined;
}

/**
 * The right to write to an agent, renewed in the background while it is held. Calling the lease releases
 * it, so it can stand where a release function is expected.
 */
export interface AgentLease extends LeaseToken {
  (): Promise<void>;
  /** When the lease ends unless it is renewed; moves on with each renewal. */
  readonly expiresAt: Date;
  /** Whose it is: this process's. */
  readonly holder: LeaseHolder;
  /**
   * Aborted when the lease is given back or lost: at the latest somewhat before somebody else can get it, whether
   * the store can be reached or not. `aborted` looks at the clock itself, so it is true also in a process that
   * stood still and whose timers haven't run yet.
   */
  readonly signal: AbortSignal;
  /** Gives it back. A release that failed may be repeated, until it succeeds or the lease has run out. */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ReadEventsOptions {
  /** A cursor, or a bookmark: events after it. Default: from the beginning. */
  since?: number | { seq: number; timestamp?: number } | undefined;
  channel?: Channel | undefined;
  /** `desc`: the newest first, as of the moment when the iteration begins. Default: `asc`. */
  order?: SortOrder | undefined;
}

export interface ForkOptions {
  /** A snapshot's id, or the number of messages to keep. Default: all. */
  at?: string | number | undefined;
  agentId?: string | undefined;
}

export interface ApprovalDecision {
  decision: 'allow' | 'deny';
  by?: string | undefined;
  note?: string | undefined;
  /** Names the call where its `toolCallId` repeats. */
  callSeq?: number | undefined;
}

/**
 * What every backend offers. Loading from or saving to an agent that doesn't exist is an
 * `AgentNotFoundError`; `loadInfo` and `exists` answer instead, and `delete` has nothing to do.
 */
export interface Store {
  /** The one write path: everything a step produced, atomically. */
  commit(agentId: string, change: TurnCommit): Promise<CommitResult>;

  /** Creates the agent, or updates what is given of it. */
  saveInfo(agentId: string, info: AgentInfoInput, options?: WriteOptions): Promise<void>;
  loadInfo(agentId: string): Promise<AgentInfo | undefined>;

  /** Makes the conversation equal to `messages`: writes only what comes after the common prefix. */
  saveMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void>;
  appendMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void>;
  loadMessages(agentId: string): Promise<Message[]>;
  /** What the model should see: the last compaction, and the messages that follow it. */
  loadContext(agentId: string): Promise<Message[]>;

  saveToolCallRecords(agentId: string, records: ToolCallUpdate[], options?: WriteOptions): Promise<void>;
  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]>;
  /**
   * The calls whose result the conversation doesn't have yet, in the order of `callSeq`; of those that no message
   * asked for, the ones that haven't ended. Costs as much as there are of them.
   */
  loadOpenCalls(agentId: string): Promise<ToolCallRecord[]>;
  saveTodos(agentId: string, snapshot: TodoSnapshot, options?: WriteOptions): Promise<void>;
  loadTodos(agentId: string): Promise<TodoSnapshot | undefined>;
  loadCompactions(agentId: string): Promise<CompactionRecord[]>;

  /** Info, messages, tool calls, to-dos and compaction as of one moment. */
  loadAgent(agentId: string): Promise<LoadedAgent>;
  /** What is needed to go on with the agent. Costs as much as the model will see, not as much as is stored. */
  loadWorkingSet(agentId: string): Promise<WorkingSet>;

  /** Stores an event and returns its cursor. Needs no lease. */
  appendEvent(agentId: string, event: NewEvent): Promise<number>;
  readEvents(agentId: string, options?: ReadEventsOptions): AsyncIterable<StoredEvent>;
  /**
   * Appends a piece of streamed text. Pieces are removed with their step: by the next commit of messages or of
   * a status. Needs no lease, raises nothing. Resolves to whether somebody watches the agent.
   */
  saveDelta(agentId: string, delta: Delta): Promise<boolean>;
  /** The pieces of streamed text of the step that isn't committed yet, in their order. Counts as watching. */
  loadDelta(agentId: string): Promise<Delta[]>;
  /**
   * Whether somebody watches the agent, in any process (`watch`, `loadDelta`), or did until half a minute ago:
   * else pieces needn't be saved.
   */
  isWatched(agentId: string): Promise<boolean>;

  saveSnapshot(agentId: string, snapshot: NewSnapshot, options?: WriteOptions): Promise<void>;
  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined>;
  listSnapshots(agentId: string): Promise<SnapshotInfo[]>;
  /** A new agent that shares the history before `at`. Returns its id. */
  fork(agentId: string, options?: ForkOptions): Promise<string>;

  saveDocument(
    agentId: string,
    document: { kind: DocumentKind; name: string; content: unknown },
    options?: WriteOptions,
  ): Promise<void>;
  loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined>;
  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]>;
  deleteDocument(agentId: string, kind: DocumentKind, name: string, options?: WriteOptions): Promise<void>;

  acquireAgentLock(agentId: string, options?: LeaseOptions | number): Promise<AgentLease>;
  /** Decides a pending approval exactly once. Needs no lease and disturbs no holder. */
  decideApproval(agentId: string, toolCallId: string, decision: ApprovalDecision): Promise<ToolCallRecord>;

  exists(agentId: string): Promise<boolean>;
  delete(agentId: string): Promise<void>;
  /** Ids of all agents, or of those that begin with `prefix`, in byte order. */
  list(prefix?: string): Promise<string[]>;
  /** Waits for what is under way, gives back this store's leases, and closes. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Of calls that may rightly take long: they have no time limit of their own. */
export interface LongCallOptions {
  /** Ends the call: it fails with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface QueryableStore extends Store {
  querySessions(filter?: SessionQueryFilter): Promise<AgentInfo[]>;
  queryMessages(filter?: MessageQueryFilter): Promise<MessageRecord[]>;
  queryToolCalls(filter?: ToolCallQueryFilter): Promise<AgentToolCallRecord[]>;
  /** Counts for one agent (by id), or for the agents that a filter matches. */
  aggregateStats(agentIdOrFilter?: string | StatsFilter, options?: LongCallOptions): Promise<AgentStats>;
  /** Everything that matches, page by page behind the scenes. `limit` ends it early; `offset` is refused. */
  iterateSessions(filter?: SessionQueryFilter, options?: LongCallOptions): AsyncIterable<AgentInfo>;
  iterateMessages(filter?: MessageQueryFilter, options?: LongCallOptions): AsyncIterable<MessageRecord>;
  iterateToolCalls(
    filter?: ToolCallQueryFilter,
    options?: LongCallOptions,
  ): AsyncIterable<AgentToolCallRecord>;
}

export interface HealthReport {
  /** The database answers, and is the one that was opened. */
  healthy: boolean;
  database: { connected: boolean; latencyMs: number; error?: string };
  /** Whether files can be written to the store's folder, which the store can do without. */
  fileSystem: { writable: boolean; error?: string };
  checkedAt: Date;
}

export interface ConsistencyIssue {
  agentId?: string;
  /** Stable name of the broken rule. */
  rule: string;
  detail: string;
}

/** How far a check has come. */
export interface ConsistencyProgress {
  /** The database's own check, the rules that hold between rows, or the reading of every stored JSON text. */
  part: 'database' | 'rules' | 'payloads';
  /** Agents whose rules were checked, or rows whose texts were read. */
  done: number;
}

export interface ConsistencyOptions {
  /** One agent. Default: everything. */
  agentId?: string | undefined;
  /**
   * `quick`: the rules between rows, and SQLite's `quick_check`. `full`: also every stored JSON text, and SQLite's
   * `integrity_check`. Default: `full` for one agent, `quick` for everything.
   */
  level?: 'quick' | 'full' | undefined;
  /** Ends the check. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: ConsistencyProgress) => void) | undefined;
}

export interface ConsistencyReport {
  consistent: boolean;
  issues: ConsistencyIssue[];
  checkedAt: Date;
}

export interface OperationMetrics {
  count: number;
  errors: number;
  /** Milliseconds, over the last 1,024 calls of the operation. */
  latencyMs: { p50: number; p95: number; p99: number; max: number };
}

export interface StoreMetrics {
  startedAt: Date;
  operations: Record<string, OperationMetrics>;
  /** What this store holds open right now. */
  leasesHeld: number;
}

/** A stored event, or an ephemeral piece of the streamed text of the step under way: each comes once, in order. */
export type WatchItem = ({ kind: 'event' } & StoredEvent) | { kind: 'delta'; delta: Delta };

export interface WatchOptions {
  since?: number | { seq: number; timestamp?: number } | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}

export interface ClaimOptions {
  /** How often a turn that workers don't end is given out before its agent is `failed`. Default 5. */
  maxAttempts?: number | undefined;
  limit: number;
  ttlMs?: number | undefined;
  /** As of `acquireAgentLock`. */
  holder?: string | undefined;
}

export interface BackupOptions {
  /** Replaces the file that is there. Default: such a file is refused. */
  overwrite?: boolean | undefined;
  /** Ends the copying. Nothing is left of it then. */
  signal?: AbortSignal | undefined;
}

export interface ExtendedStore extends QueryableStore {
  healthCheck(): Promise<HealthReport>;
  /**
   * Checks what every write keeps true, of one agent (by its id) or of everything. Agents may go on working.
   */
  checkConsistency(what?: string | ConsistencyOptions): Promise<ConsistencyReport>;
  getMetrics(): StoreMetrics;
  batchFork(agentId: string, count: number, options?: LongCallOptions): Promise<string[]>;
  /** Leases agents that nobody holds and that died while running or whose approvals are all decided. */
  claimResumable(options: ClaimOptions): Promise<AgentLease[]>;
  /**
   * A consistent copy of the database while it is in use; returns its path. Without one it goes to `backups` in
   * the store's folder. It has its name when it is whole and on disk. SQLite only.
   */
  backup(path?: string, options?: BackupOptions): Promise<string>;
  /** Follows an agent's events, from any process, until the agent is deleted or the caller stops. */
  watch(agentId: string, options?: WatchOptions): AsyncIterable<WatchItem>;
}
