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
  /** The lease that the writer holds. Without it, the write is refused while anybody holds one. */
  lease?: LeaseToken | undefined;
}

/** Options of `acquireAgentLock`. */
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
  /** The same as `release()`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of `readEvents`. */
export interface ReadEventsOptions {
  /** A cursor, or a bookmark: events after it. Default: from the beginning. */
  since?: number | { seq: number; timestamp?: number } | undefined;
  /** Events of this channel alone. Default: of all. */
  channel?: Channel | undefined;
  /** `desc`: the newest first, as of the moment when the iteration begins. Default: `asc`. */
  order?: SortOrder | undefined;
}

/** Options of `fork`. */
export interface ForkOptions {
  /** A snapshot's id, or the number of messages to keep. Default: all. */
  at?: string | number | undefined;
  /** The new agent's id. Default: a new one. A taken one is an `AgentExistsError`. */
  agentId?: string | undefined;
}

/** What somebody decided about a call. */
export interface ApprovalDecision {
  /** Whether it may run. */
  decision: 'allow' | 'deny';
  /** Who decided: stored with the decision. */
  by?: string | undefined;
  /** Why. The model is told it with a denial. */
  note?: string | undefined;
  /** Names the call where its `toolCallId` repeats. */
  callSeq?: number | undefined;
}

/**
 * What every backend offers. Loading from or saving to an agent that doesn't exist is an
 * `AgentNotFoundError`; `loadInfo` and `exists` answer instead, and `delete` has nothing to do.
 */
export interface Store {
  /**
   * Opens the store now, and brings the schema of its database up to date; resolves to the store. Every call does that
   * by itself: this shows at the start whether all is well, and takes a signal for what may rightly take long. All
   * that wait share one opening: a signal ends its caller's wait, and the opening where nobody else waits for it.
   * Nothing half done stays, and the next call begins anew.
   */
  open(options?: LongCallOptions): Promise<this>;

  /** The one write path: everything a step produced, atomically. */
  commit(agentId: string, change: TurnCommit): Promise<CommitResult>;

  /** Creates the agent, or updates what is given of it. */
  saveInfo(agentId: string, info: AgentInfoInput, options?: WriteOptions): Promise<void>;
  /** What is stored of the agent beside its conversation. Undefined for an agent that doesn't exist. */
  loadInfo(agentId: string): Promise<AgentInfo | undefined>;

  /** Makes the conversation equal to `messages`: writes only what comes after the common prefix. */
  saveMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void>;
  /** Adds to the end of the conversation. */
  appendMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void>;
  /** The whole conversation, without regard to compactions. */
  loadMessages(agentId: string): Promise<Message[]>;
  /** What the model should see: the last compaction, and the messages that follow it. */
  loadContext(agentId: string): Promise<Message[]>;

  /**
   * What became of tool calls. A finished call doesn't change: saying the same again is accepted, anything
   * else a `ValidationError`.
   */
  saveToolCallRecords(agentId: string, records: ToolCallUpdate[], options?: WriteOptions): Promise<void>;
  /** All calls, in the order of `callSeq`. */
  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]>;
  /**
   * The calls whose result the conversation doesn't have yet, in the order of `callSeq`; of those that no message
   * asked for, the ones that haven't ended. Costs as much as there are of them.
   */
  loadOpenCalls(agentId: string): Promise<ToolCallRecord[]>;
  /** Replaces the to-dos. */
  saveTodos(agentId: string, snapshot: TodoSnapshot, options?: WriteOptions): Promise<void>;
  /** Undefined when none were saved. */
  loadTodos(agentId: string): Promise<TodoSnapshot | undefined>;
  /** All compactions, the oldest first. */
  loadCompactions(agentId: string): Promise<CompactionRecord[]>;

  /** Info, messages, tool calls, to-dos and compaction as of one moment. */
  loadAgent(agentId: string): Promise<LoadedAgent>;
  /** What is needed to go on with the agent. Costs as much as the model will see, not as much as is stored. */
  loadWorkingSet(agentId: string): Promise<WorkingSet>;

  /** Stores an event and returns its cursor. Needs no lease. */
  appendEvent(agentId: string, event: NewEvent): Promise<number>;
  /**
   * What is on the timeline now, in the order of cursors. `EventsPrunedError` where events after `since` were
   * removed.
   */
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

  /** Names a position of the conversation. A snapshot of the same id is replaced. */
  saveSnapshot(agentId: string, snapshot: NewSnapshot, options?: WriteOptions): Promise<void>;
  /** The snapshot with its messages. Undefined when the agent doesn't have it. */
  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined>;
  /** All snapshots of the agent, without their messages. */
  listSnapshots(agentId: string): Promise<SnapshotInfo[]>;
  /** A new agent that shares the history before `at` (on JSON files it has a copy of it). Returns its id. */
  fork(agentId: string, options?: ForkOptions): Promise<string>;

  /** Creates the document, or replaces the one of this kind and name. */
  saveDocument(
    agentId: string,
    document: { kind: DocumentKind; name: string; content: unknown },
    options?: WriteOptions,
  ): Promise<void>;
  /** Undefined when the agent doesn't have it. */
  loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined>;
  /** All documents of one kind, with their contents. */
  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]>;
  /** Does nothing where there is no such document. */
  deleteDocument(agentId: string, kind: DocumentKind, name: string, options?: WriteOptions): Promise<void>;

  /**
   * Gets the right to write to the agent; a number is `ttlMs`. `LockTimeoutError` while somebody else has it.
   */
  acquireAgentLock(agentId: string, options?: LeaseOptions | number): Promise<AgentLease>;
  /** Decides a pending approval exactly once. Needs no lease and disturbs no holder. */
  decideApproval(agentId: string, toolCallId: string, decision: ApprovalDecision): Promise<ToolCallRecord>;

  /** Whether the store has an agent with this id. */
  exists(agentId: string): Promise<boolean>;
  /**
   * Removes the agent and all that is its own. Forks keep the history that they share. Does nothing for an
   * agent that doesn't exist.
   */
  delete(agentId: string): Promise<void>;
  /** Ids of all agents, or of those that begin with `prefix`, in byte order. */
  list(prefix?: string): Promise<string[]>;
  /** Waits for what is under way, gives back this store's leases, and closes. */
  close(): Promise<void>;
  /** The same as `close()`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Of calls that may rightly take long: they have no time limit of their own. */
export interface LongCallOptions {
  /** Ends the call: it fails with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * A store that answers questions over all agents. A filter that isn't understood is a `ValidationError` that
 * names the key.
 */
export interface QueryableStore extends Store {
  /** Agents that match, newest first, 100 at most unless `limit` says otherwise. */
  querySessions(filter?: SessionQueryFilter): Promise<AgentInfo[]>;
  /** Messages that match, newest first, 100 at most unless `limit` says otherwise. */
  queryMessages(filter?: MessageQueryFilter): Promise<MessageRecord[]>;
  /** Tool calls that match, newest first, 100 at most unless `limit` says otherwise. */
  queryToolCalls(filter?: ToolCallQueryFilter): Promise<AgentToolCallRecord[]>;
  /** Counts for one agent (by id), or for the agents that a filter matches. */
  aggregateStats(agentIdOrFilter?: string | StatsFilter, options?: LongCallOptions): Promise<AgentStats>;
  /** Everything that matches, page by page behind the scenes. `limit` ends it early; `offset` is refused. */
  iterateSessions(filter?: SessionQueryFilter, options?: LongCallOptions): AsyncIterable<AgentInfo>;
  /** As `iterateSessions`, over messages. */
  iterateMessages(filter?: MessageQueryFilter, options?: LongCallOptions): AsyncIterable<MessageRecord>;
  /** As `iterateSessions`, over tool calls. */
  iterateToolCalls(
    filter?: ToolCallQueryFilter,
    options?: LongCallOptions,
  ): AsyncIterable<AgentToolCallRecord>;
}

/** How a store is. */
export interface HealthReport {
  /** The database answers, and is the one that was opened. */
  healthy: boolean;
  /** Whether it answers, how long that took in milliseconds, and why it doesn't. */
  database: { connected: boolean; latencyMs: number; error?: string };
  /** Whether files can be written to the store's folder, which the store can do without. */
  fileSystem: { writable: boolean; error?: string };
  /** When. */
  checkedAt: Date;
}

/** Something that is stored and can't be right. */
export interface ConsistencyIssue {
  /** Absent where it isn't about one agent. */
  agentId?: string;
  /** Stable name of the broken rule. */
  rule: string;
  /** What is wrong, in words. */
  detail: string;
}

/** How far a check has come. */
export interface ConsistencyProgress {
  /** The database's own check, the rules that hold between rows, or the reading of every stored JSON text. */
  part: 'database' | 'rules' | 'payloads';
  /** Agents whose rules were checked, or rows whose texts were read. */
  done: number;
}

/** What `checkConsistency` checks, and how thoroughly. */
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
  /** Called as the check goes on. */
  onProgress?: ((progress: ConsistencyProgress) => void) | undefined;
}

/** What a check found. */
export interface ConsistencyReport {
  /** There are no issues. */
  consistent: boolean;
  /** The first 1,000 that were found; one more says so where there may be others. */
  issues: ConsistencyIssue[];
  /** When the check ended. */
  checkedAt: Date;
}

/** Calls of one method of a store, since it was made. */
export interface OperationMetrics {
  /** Calls that ended, in whatever way. */
  count: number;
  /** Those that failed. */
  errors: number;
  /** Milliseconds, over the last 1,024 calls of the operation. */
  latencyMs: { p50: number; p95: number; p99: number; max: number };
}

/** What this store object did; other processes have theirs. */
export interface StoreMetrics {
  /** When the store was made. */
  startedAt: Date;
  /** By the name of the method. */
  operations: Record<string, OperationMetrics>;
  /** What this store holds open right now. */
  leasesHeld: number;
}

/** A stored event, or an ephemeral piece of the streamed text of the step under way: each comes once, in order. */
export type WatchItem = ({ kind: 'event' } & StoredEvent) | { kind: 'delta'; delta: Delta };

/** Options of `watch`. */
export interface WatchOptions {
  /** A cursor, or a bookmark: events after it. Default: from the beginning. */
  since?: number | { seq: number; timestamp?: number } | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}

/** Options of `claimResumable`. */
export interface ClaimOptions {
  /** How often a turn that workers don't end is given out before its agent is `failed`. Default 5. */
  maxAttempts?: number | undefined;
  /** Agents at most. */
  limit: number;
  /** As of `acquireAgentLock`. */
  ttlMs?: number | undefined;
  /** As of `acquireAgentLock`. */
  holder?: string | undefined;
}

/** Options of `backup`. */
export interface BackupOptions {
  /** Replaces the file that is there. Default: such a file is refused. */
  overwrite?: boolean | undefined;
  /** Ends the copying. Nothing is left of it then. */
  signal?: AbortSignal | undefined;
}

/** What a database offers besides: health, checks, work for workers, followers. */
export interface ExtendedStore extends QueryableStore {
  /** Asks the database for an answer. Never rejects but on a closed store; creates nothing. */
  healthCheck(): Promise<HealthReport>;
  /**
   * Checks what every write keeps true, of one agent (by its id) or of everything. Agents may go on working.
   * To-dos, snapshots, documents and compactions that are gone without a trace aren't noticed: nothing refers to
   * them or counts them.
   */
  checkConsistency(what?: string | ConsistencyOptions): Promise<ConsistencyReport>;
  /** Numbers of calls, errors and latencies of this store object. */
  getMetrics(): StoreMetrics;
  /** As many forks of the whole conversation, in one transaction: 1 to 10,000. Their ids. */
  batchFork(agentId: string, count: number, options?: LongCallOptions): Promise<string[]>;
  /** Leases agents that nobody holds and that died while running or whose approvals are all decided. */
  claimResumable(options: ClaimOptions): Promise<AgentLease[]>;
  /**
   * A consistent copy of the database while it is in use; returns its path. Without one it goes to `backups` in
   * the store's folder, which is the database's own where none is given. It has its name when it is whole and on disk. SQLite only.
   */
  backup(path?: string, options?: BackupOptions): Promise<string>;
  /** Follows an agent's events, from any process, until the agent is deleted or the caller stops. */
  watch(agentId: string, options?: WatchOptions): AsyncIterable<WatchItem>;
}
