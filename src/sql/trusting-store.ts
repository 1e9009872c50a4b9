import { AgentNotFoundError } from '../errors.ts';
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
import {
  type EncodedCommit,
  type EncodedDocument,
  type EncodedEvent,
  emptyCommit,
  encodeEvent,
} from '../model/encode-commit.ts';
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
} from '../store/arguments.ts';
import type { AgentStats } from '../store/filters.ts';
import type { Settling } from '../store/lifecycle.ts';
import type { Paged } from '../store/paged.ts';
import type { AgentLease, ConsistencyReport, WatchItem } from '../store/store.ts';
import type { TrustingExtendedStore } from '../store/trusting-store.ts';
import type {
  EventQuery,
  MessageQuery,
  SessionQuery,
  StatsQuery,
  ToolCallQuery,
} from '../store/validate-filter.ts';
import { type AgentState, readState } from './agent-state.ts';
import { checkConsistency } from './check/consistency.ts';
import type { SqlContext } from './context.ts';
import type { Engine } from './engine.ts';
import type { Script } from './port/driver.ts';
import { iterateMessages, queryMessages } from './query/messages.ts';
import { iterateSessions, querySessions } from './query/sessions.ts';
import { aggregateStats } from './query/statistics.ts';
import { iterateToolCalls, queryToolCalls } from './query/tool-calls.ts';
import { LOAD_AGENT } from './read/agent.ts';
import { LOAD_TOOL_CALLS } from './read/calls.ts';
import { isWatched, loadDelta, saveDelta } from './read/deltas.ts';
import { readEvents, watchEvents } from './read/events.ts';
import { LOAD_TODOS, listAgents, loadDocuments, loadInfo } from './read/info.ts';
import { load } from './read/load.ts';
import { LOAD_COMPACTIONS, LOAD_CONTEXT, LOAD_MESSAGES } from './read/messages.ts';
import { LOAD_OPEN_CALLS } from './read/open-calls.ts';
import { readSnapshot, readSnapshots } from './read/snapshots.ts';
import { LOAD_WORKING_SET } from './read/working-set.ts';
import { decide } from './write/decide.ts';
import { deleteAgent } from './write/delete.ts';

/** Where a backup goes that is to go to a path, or to a place of the store's choice. */
export type BackupPath = (path: string | undefined) => string;

/** A connected database as a store: hands each call on to the module of its noun. */
export class SqlTrustingStore implements TrustingExtendedStore {
  readonly engine: Engine;
  readonly #backupPath: BackupPath;

  constructor(engine: Engine, backupPath: BackupPath) {
    this.engine = engine;
    this.#backupPath = backupPath;
  }

  get time(): DatabaseTime {
    return this.engine.context.driver.time;
  }

  get leasesHeld(): number {
    return this.engine.leases.held.count;
  }

  commit(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    return this.#inTime(() => this.engine.committer.commit(agentId, change));
  }

  async saveInfo(agentId: string, change: EncodedCommit): Promise<void> {
    await this.#inTime(() => this.engine.committer.createOrUpdate(agentId, change));
  }

  async loadInfo(agentId: string): Promise<AgentInfo | undefined> {
    try {
      return await loadInfo(this.engine.context, agentId);
    } catch (error) {
      if (error instanceof AgentNotFoundError) return undefined;
      throw error;
    }
  }

  async saveMessages(agentId: string, change: EncodedCommit): Promise<void> {
    await this.#inTime(() => this.engine.committer.replaceMessages(agentId, change));
  }

  loadMessages(agentId: string): Promise<Message[]> {
    return load(this.engine.context, agentId, LOAD_MESSAGES);
  }

  loadContext(agentId: string): Promise<Message[]> {
    return load(this.engine.context, agentId, LOAD_CONTEXT);
  }

  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]> {
    return load(this.engine.context, agentId, LOAD_TOOL_CALLS);
  }

  loadOpenCalls(agentId: string): Promise<ToolCallRecord[]> {
    return load(this.engine.context, agentId, LOAD_OPEN_CALLS);
  }

  loadTodos(agentId: string): Promise<TodoSnapshot | undefined> {
    return load(this.engine.context, agentId, LOAD_TODOS);
  }

  loadCompactions(agentId: string): Promise<CompactionRecord[]> {
    return load(this.engine.context, agentId, LOAD_COMPACTIONS);
  }

  loadAgent(agentId: string): Promise<LoadedAgent> {
    return load(this.engine.context, agentId, LOAD_AGENT);
  }

  loadWorkingSet(agentId: string): Promise<WorkingSet> {
    return load(this.engine.context, agentId, LOAD_WORKING_SET);
  }

  appendEvent(agentId: string, event: EncodedEvent, call: Settling<number>): void {
    const { committer } = this.engine;
    const append = () => committer.events.append(agentId, [event], this.time.now(), call);
    if (this.time.isSure) append();
    else this.time.learn().then(append, (error: unknown) => call.reject(error));
  }

  readEvents(agentId: string, query: EventQuery): AsyncIterator<Iterable<StoredEvent>> {
    return readEvents(this.engine.context, agentId, query);
  }

  async saveDelta(agentId: string, delta: string): Promise<boolean> {
    const watched = await saveDelta(this.engine.context, agentId, delta);
    this.engine.committer.noteDelta(agentId);
    return watched;
  }

  loadDelta(agentId: string): Promise<Delta[]> {
    return loadDelta(this.engine.context, agentId);
  }

  isWatched(agentId: string): Promise<boolean> {
    return isWatched(this.engine.context, agentId);
  }

  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined> {
    return this.#read(agentId, ({ keys }) => readSnapshot(keys, snapshotId));
  }

  listSnapshots(agentId: string): Promise<SnapshotInfo[]> {
    return this.#read(agentId, ({ keys }) => readSnapshots(keys));
  }

  async fork(sourceId: string, { at, agentId }: CheckedFork): Promise<void> {
    await this.#inTime(() => this.engine.forks.create(sourceId, at, [agentId]));
  }

  batchFork(sourceId: string, agentIds: string[], signal: AbortSignal | undefined): Promise<string[]> {
    return this.#inTime(() => this.engine.forks.create(sourceId, undefined, agentIds, signal));
  }

  async writeDocument(
    agentId: string,
    document: EncodedDocument,
    lease: LeaseToken | undefined,
  ): Promise<void> {
    const change = { ...emptyCommit(), documents: [document], lease };
    await this.#inTime(() => this.engine.committer.commit(agentId, change));
  }

  async loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined> {
    return (await loadDocuments(this.engine.context, agentId, kind, name))[0];
  }

  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]> {
    return loadDocuments(this.engine.context, agentId, kind);
  }

  acquireAgentLock(agentId: string, options: CheckedLease, closing: AbortSignal): Promise<AgentLease> {
    return this.engine.leases.acquire(agentId, options, closing);
  }

  claimResumable(claim: CheckedClaim): Promise<AgentLease[]> {
    const { leases, committer, context } = this.engine;
    return leases.claim(claim, (agentId, attempts) => {
      const event = encodeEvent({ channel: 'monitor', type: 'failed', attempts }, 'event');
      // Whoever missed it finds the reason in the agent's info.
      const call = { resolve: () => undefined, reject: () => undefined };
      committer.events.append(agentId, [event], context.driver.time.now(), call);
    });
  }

  decideApproval(agentId: string, decision: CheckedDecision): Promise<ToolCallRecord> {
    const { directory, driver } = this.engine.context;
    return this.#inTime(() =>
      directory.resolve(agentId, (keys) =>
        driver.transact(() => decide(agentId, keys, decision, driver.time.now())),
      ),
    );
  }

  async exists(agentId: string): Promise<boolean> {
    const { directory } = this.engine.context;
    directory.forget(agentId);
    return (await directory.find(agentId)) !== undefined;
  }

  delete(agentId: string): Promise<void> {
    const {
      context: { directory, driver },
      committer,
      leases,
    } = this.engine;
    return committer.exclusively(agentId, async () => {
      directory.forget(agentId);
      const keys = await directory.find(agentId);
      if (keys) {
        await driver.transact(() => deleteAgent(agentId, keys));
        leases.held.dropOf(keys);
      }
      directory.forget(agentId);
      committer.forget(agentId);
    });
  }

  list(prefix: string): Promise<string[]> {
    return listAgents(this.engine.context.driver, prefix);
  }

  querySessions(query: SessionQuery): Promise<AgentInfo[]> {
    return querySessions(this.engine.queries, query);
  }

  queryMessages(query: MessageQuery): Promise<MessageRecord[]> {
    return queryMessages(this.engine.queries, query);
  }

  queryToolCalls(query: ToolCallQuery): Promise<AgentToolCallRecord[]> {
    return queryToolCalls(this.engine.queries, query);
  }

  aggregateStats(agentIdOrQuery: string | StatsQuery, signal: AbortSignal | undefined): Promise<AgentStats> {
    const { queries } = this.engine;
    const isQuick = typeof agentIdOrQuery === 'string' && signal === undefined;
    return aggregateStats(isQuick ? queries : patient(queries, signal), agentIdOrQuery);
  }

  iterateSessions(query: SessionQuery, signal: AbortSignal | undefined): Paged<unknown, AgentInfo> {
    return iterateSessions(patient(this.engine.queries, signal), query);
  }

  iterateMessages(query: MessageQuery, signal: AbortSignal | undefined): Paged<unknown, MessageRecord> {
    return iterateMessages(patient(this.engine.queries, signal), query);
  }

  iterateToolCalls(
    query: ToolCallQuery,
    signal: AbortSignal | undefined,
  ): Paged<unknown, AgentToolCallRecord> {
    return iterateToolCalls(patient(this.engine.queries, signal), query);
  }

  checkConsistency(check: CheckedCheck): Promise<ConsistencyReport> {
    return checkConsistency(patient(this.engine.context, check.signal), check);
  }

  async backup(backup: CheckedBackup): Promise<string> {
    const path = this.#backupPath(backup.path);
    await this.engine.context.driver.backup({ ...backup, path });
    return path;
  }

  watch(agentId: string, options: CheckedWatch, closing: AbortSignal): AsyncIterable<WatchItem> {
    return watchEvents(this.engine.context, agentId, options, closing);
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  /** What gives out stamps: first it asks for the time, where that isn't sure. */
  #inTime<T>(write: () => Promise<T>): Promise<T> {
    return this.time.isSure ? write() : this.time.learn().then(write);
  }

  /** A read of an agent's state as of one moment. */
  async #read<T>(agentId: string, script: (state: AgentState) => Script<T>): Promise<T> {
    const { directory, driver } = this.engine.context;
    const found = await directory.resolve(agentId, (keys) =>
      driver.snapshot(function* () {
        const state = yield* readState(keys);
        return state && { value: yield* script(state) };
      }),
    );
    return found.value;
  }
}

/** The same for what may rightly take long: until the signal aborts, if there is one. */
function patient(context: SqlContext, signal?: AbortSignal): SqlContext {
  return { ...context, driver: context.driver.bounded({ until: signal }) };
}
