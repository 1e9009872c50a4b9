import type {
  AgentDocument,
  AgentInfo,
  CommitResult,
  CompactionRecord,
  Delta,
  DocumentKind,
  LeaseToken,
  LoadedAgent,
  Snapshot,
  SnapshotInfo,
  StoredEvent,
  TodoSnapshot,
  WorkingSet,
} from '../model/agent.ts';
import type { DatabaseTime } from '../model/database-time.ts';
import type { EncodedCommit, EncodedDocument, EncodedEvent } from '../model/encode-commit.ts';
import type { Message, MessageRecord } from '../model/message.ts';
import type { AgentToolCallRecord, ToolCallRecord } from '../model/tool-call.ts';
import type {
  CheckedBackup,
  CheckedCheck,
  CheckedClaim,
  CheckedDecision,
  CheckedFork,
  CheckedLease,
  CheckedWatch,
} from './arguments.ts';
import type { AgentStats } from './filters.ts';
import type { Settling } from './lifecycle.ts';
import type { Paged } from './paged.ts';
import type { AgentLease, ConsistencyReport, WatchItem } from './store.ts';
import type { EventQuery, MessageQuery, SessionQuery, StatsQuery, ToolCallQuery } from './validate-filter.ts';

/**
 * An open database or folder, as `CheckedStore` calls it. What arrives here is checked, encoded and complete:
 * nothing is validated again but what only the stored state can tell (does the agent exist, is the
 * position within the conversation).
 */
export interface TrustingStore {
  /** The clock of the database. */
  readonly time: DatabaseTime;

  commit(agentId: string, change: EncodedCommit): Promise<CommitResult>;
  /** Creates the agent, or updates what is given of it. */
  saveInfo(agentId: string, change: EncodedCommit): Promise<void>;
  /** Undefined without the agent. */
  loadInfo(agentId: string): Promise<AgentInfo | undefined>;
  /** Makes the conversation equal to the change's messages. */
  saveMessages(agentId: string, change: EncodedCommit): Promise<void>;
  loadMessages(agentId: string): Promise<Message[]>;
  loadContext(agentId: string): Promise<Message[]>;
  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]>;
  loadOpenCalls(agentId: string): Promise<ToolCallRecord[]>;
  loadTodos(agentId: string): Promise<TodoSnapshot | undefined>;
  loadCompactions(agentId: string): Promise<CompactionRecord[]>;
  loadAgent(agentId: string): Promise<LoadedAgent>;
  loadWorkingSet(agentId: string): Promise<WorkingSet>;

  /** Settles the call itself: events are so small and so many that promises would be most of their cost. */
  appendEvent(agentId: string, event: EncodedEvent, call: Settling<number>): void;
  /** In pages, whose events are looked at one by one: those that follow damaged ones are never reached. */
  readEvents(agentId: string, query: EventQuery): AsyncIterator<Iterable<StoredEvent>>;
  /** `delta` is JSON text. */
  saveDelta(agentId: string, delta: string): Promise<boolean>;
  loadDelta(agentId: string): Promise<Delta[]>;
  isWatched(agentId: string): Promise<boolean>;

  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined>;
  listSnapshots(agentId: string): Promise<SnapshotInfo[]>;
  fork(agentId: string, fork: CheckedFork): Promise<void>;

  /** Saves the document, or (without a payload) removes it. */
  writeDocument(agentId: string, document: EncodedDocument, lease: LeaseToken | undefined): Promise<void>;
  loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined>;
  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]>;

  /** Waiting for another holder ends with `closing`. */
  acquireAgentLock(agentId: string, options: CheckedLease, closing: AbortSignal): Promise<AgentLease>;
  decideApproval(agentId: string, decision: CheckedDecision): Promise<ToolCallRecord>;

  exists(agentId: string): Promise<boolean>;
  delete(agentId: string): Promise<void>;
  /** An empty prefix is every agent's. */
  list(prefix: string): Promise<string[]>;
  /** When nothing is under way any more: gives back the leases, and closes. */
  close(): Promise<void>;
}

/** The same with queries and what else a database offers. */
export interface TrustingExtendedStore extends TrustingStore {
  /** Leases that this store holds right now. */
  readonly leasesHeld: number;

  querySessions(query: SessionQuery): Promise<AgentInfo[]>;
  queryMessages(query: MessageQuery): Promise<MessageRecord[]>;
  queryToolCalls(query: ToolCallQuery): Promise<AgentToolCallRecord[]>;
  aggregateStats(agentIdOrQuery: string | StatsQuery, signal: AbortSignal | undefined): Promise<AgentStats>;
  iterateSessions(query: SessionQuery, signal: AbortSignal | undefined): Paged<unknown, AgentInfo>;
  iterateMessages(query: MessageQuery, signal: AbortSignal | undefined): Paged<unknown, MessageRecord>;
  iterateToolCalls(
    query: ToolCallQuery,
    signal: AbortSignal | undefined,
  ): Paged<unknown, AgentToolCallRecord>;

  checkConsistency(check: CheckedCheck): Promise<ConsistencyReport>;
  /** New agents of these ids, all or none of them. */
  batchFork(agentId: string, agentIds: string[], signal: AbortSignal | undefined): Promise<string[]>;
  claimResumable(claim: CheckedClaim): Promise<AgentLease[]>;
  backup(backup: CheckedBackup): Promise<string>;
  /** Ends with the watcher's own signal and with `closing`. */
  watch(agentId: string, options: CheckedWatch, closing: AbortSignal): AsyncIterable<WatchItem>;
}
