import { AgentNotFoundError, ValidationError } from '../errors.ts';
import type {
  AgentDocument,
  AgentInfo,
  AgentInfoInput,
  CommitResult,
  CompactionRecord,
  Delta,
  DocumentKind,
  LoadedAgent,
  NewEvent,
  NewSnapshot,
  Snapshot,
  SnapshotInfo,
  StoredEvent,
  TodoSnapshot,
  TurnCommit,
} from '../model/agent.ts';
import { CLOCK } from '../model/clock.ts';
import { checkDocumentKey, encodeCommit, encodeEvent } from '../model/encode-commit.ts';
import { generateAgentId, validateAgentId, validateId } from '../model/ids.ts';
import { encodeJson } from '../model/json.ts';
import type { Message, MessageRecord } from '../model/message.ts';
import type { AgentToolCallRecord, ToolCallRecord, ToolCallUpdate } from '../model/tool-call.ts';
import type {
  AgentStats,
  MessageQueryFilter,
  SessionQueryFilter,
  StatsFilter,
  ToolCallQueryFilter,
} from '../store/filters.ts';
import type {
  AgentLease,
  ApprovalDecision,
  ClaimOptions,
  ConsistencyReport,
  ExtendedStore,
  ForkOptions,
  HealthReport,
  LeaseOptions,
  ReadEventsOptions,
  StoreMetrics,
  WatchItem,
  WatchOptions,
  WriteOptions,
} from '../store/store.ts';
import { ConnectedStore } from './connected-store.ts';
import { LOAD_AGENT } from './nouns/agent.ts';
import { LOAD_TOOL_CALLS } from './nouns/calls.ts';
import { checkConsistency } from './nouns/consistency.ts';
import { checkDecision, decide } from './nouns/decisions.ts';
import { deleteAgent } from './nouns/delete.ts';
import { loadDelta, readEvents, saveDelta, watchEvents } from './nouns/events.ts';
import { MAX_FORKS } from './nouns/forks.ts';
import { checkHealth } from './nouns/health.ts';
import { LOAD_TODOS, listAgents, loadDocuments, loadInfo } from './nouns/info.ts';
import { type Load, load } from './nouns/load.ts';
import { LOAD_COMPACTIONS, LOAD_CONTEXT, LOAD_MESSAGES } from './nouns/messages.ts';
import { readSnapshot, readSnapshots } from './nouns/snapshots.ts';
import { iterateMessages, queryMessages } from './query/messages.ts';
import { iterateSessions, querySessions } from './query/sessions.ts';
import { aggregateStats } from './query/statistics.ts';
import { iterateToolCalls, queryToolCalls } from './query/tool-calls.ts';

/**
 * The store on any SQL database: validates at the edge, then hands on to the module of the noun. What a
 * database provides itself is `connect` and the default place of a backup.
 */
export abstract class SqlStore extends ConnectedStore implements ExtendedStore {
  commit(agentId: string, change: TurnCommit): Promise<CommitResult> {
    return this.run('commit', async ({ committer }) => {
      validateAgentId(agentId);
      return committer.commit(agentId, encodeCommit(agentId, change));
    });
  }

  saveInfo(agentId: string, info: AgentInfoInput, options?: WriteOptions): Promise<void> {
    return this.run('saveInfo', async ({ committer }) => {
      validateAgentId(agentId);
      await committer.createOrUpdate(agentId, encodeCommit(agentId, { info, lease: options?.lease }));
    });
  }

  loadInfo(agentId: string): Promise<AgentInfo | undefined> {
    return this.run('loadInfo', async (engine) => {
      validateAgentId(agentId);
      try {
        return await loadInfo(engine.context, agentId);
      } catch (error) {
        if (error instanceof AgentNotFoundError) return undefined;
        throw error;
      }
    });
  }

  saveMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void> {
    return this.run('saveMessages', async ({ committer }) => {
      validateAgentId(agentId);
      await committer.replaceMessages(agentId, encodeCommit(agentId, { messages, lease: options?.lease }));
    });
  }

  appendMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void> {
    return this.#narrow('appendMessages', agentId, { messages, lease: options?.lease });
  }

  loadMessages(agentId: string): Promise<Message[]> {
    return this.#load('loadMessages', agentId, LOAD_MESSAGES);
  }

  loadContext(agentId: string): Promise<Message[]> {
    return this.#load('loadContext', agentId, LOAD_CONTEXT);
  }

  saveToolCallRecords(agentId: string, records: ToolCallUpdate[], options?: WriteOptions): Promise<void> {
    return this.#narrow('saveToolCallRecords', agentId, { toolCalls: records, lease: options?.lease });
  }

  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]> {
    return this.#load('loadToolCallRecords', agentId, LOAD_TOOL_CALLS);
  }

  saveTodos(agentId: string, snapshot: TodoSnapshot, options?: WriteOptions): Promise<void> {
    return this.#narrow('saveTodos', agentId, { todos: snapshot, lease: options?.lease });
  }

  loadTodos(agentId: string): Promise<TodoSnapshot | undefined> {
    return this.#load('loadTodos', agentId, LOAD_TODOS);
  }

  loadCompactions(agentId: string): Promise<CompactionRecord[]> {
    return this.#load('loadCompactions', agentId, LOAD_COMPACTIONS);
  }

  loadAgent(agentId: string): Promise<LoadedAgent> {
    return this.#load('loadAgent', agentId, LOAD_AGENT);
  }

  appendEvent(agentId: string, event: NewEvent): Promise<number> {
    return this.call('appendEvent', ({ committer: { events } }, call) => {
      validateAgentId(agentId);
      events.append(agentId, [encodeEvent(event, 'event')], this[CLOCK].now(), call);
    });
  }

  readEvents(agentId: string, options: ReadEventsOptions = {}): AsyncIterable<StoredEvent> {
    return this.iterate('readEvents', ({ context }) => readEvents(context, agentId, options));
  }

  saveDelta(agentId: string, delta: Delta): Promise<void> {
    return this.run('saveDelta', async ({ context }) => {
      validateAgentId(agentId);
      await saveDelta(context, agentId, encodeJson(delta, 'delta'));
    });
  }

  loadDelta(agentId: string): Promise<Delta | undefined> {
    return this.run('loadDelta', async ({ context }) => {
      validateAgentId(agentId);
      return loadDelta(context, agentId);
    });
  }

  saveSnapshot(agentId: string, snapshot: NewSnapshot, options?: WriteOptions): Promise<void> {
    return this.#narrow('saveSnapshot', agentId, { snapshot, lease: options?.lease });
  }

  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined> {
    return this.load('loadSnapshot', agentId, ({ keys }) => {
      validateId('snapshotId', snapshotId);
      return readSnapshot(keys, snapshotId);
    });
  }

  listSnapshots(agentId: string): Promise<SnapshotInfo[]> {
    return this.load('listSnapshots', agentId, ({ keys }) => readSnapshots(keys));
  }

  fork(agentId: string, options: ForkOptions = {}): Promise<string> {
    return this.run('fork', async ({ forks }) => {
      const [forked] = await forks.create(agentId, options.at, [options.agentId ?? generateAgentId()]);
      return forked ?? '';
    });
  }

  batchFork(agentId: string, count: number): Promise<string[]> {
    return this.run('batchFork', async ({ forks }) => {
      if (!Number.isSafeInteger(count) || count < 1 || count > MAX_FORKS) {
        throw new ValidationError('count', `must be a whole number from 1 to ${MAX_FORKS}`);
      }
      return forks.create(
        agentId,
        undefined,
        Array.from({ length: count }, () => generateAgentId()),
      );
    });
  }

  saveDocument(
    agentId: string,
    document: { kind: DocumentKind; name: string; content: unknown },
    options?: WriteOptions,
  ): Promise<void> {
    return this.run('saveDocument', async ({ committer }) => {
      validateAgentId(agentId);
      const { kind, name } = document;
      checkDocumentKey(kind, name);
      const payload = encodeJson(document.content, 'content');
      const change = encodeCommit(agentId, { lease: options?.lease });
      await committer.commit(agentId, { ...change, documents: [{ kind, name, payload }] });
    });
  }

  loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined> {
    return this.run('loadDocument', async ({ context }) => {
      validateAgentId(agentId);
      checkDocumentKey(kind, name);
      return (await loadDocuments(context, agentId, kind, name))[0];
    });
  }

  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]> {
    return this.run('listDocuments', async ({ context }) => {
      validateAgentId(agentId);
      checkDocumentKey(kind, '-');
      return loadDocuments(context, agentId, kind);
    });
  }

  deleteDocument(agentId: string, kind: DocumentKind, name: string, options?: WriteOptions): Promise<void> {
    return this.run('deleteDocument', async ({ committer }) => {
      validateAgentId(agentId);
      checkDocumentKey(kind, name);
      const change = encodeCommit(agentId, { lease: options?.lease });
      await committer.commit(agentId, { ...change, documents: [{ kind, name, payload: null }] });
    });
  }

  acquireAgentLock(agentId: string, options?: LeaseOptions | number): Promise<AgentLease> {
    return this.run('acquireAgentLock', async ({ leases }) => {
      validateAgentId(agentId);
      return leases.acquire(agentId, options, this.lifecycle.closing);
    });
  }

  claimResumable(options: ClaimOptions): Promise<AgentLease[]> {
    return this.run('claimResumable', async ({ leases }) => leases.claim(options?.limit, options?.ttlMs));
  }

  decideApproval(agentId: string, toolCallId: string, decision: ApprovalDecision): Promise<ToolCallRecord> {
    return this.run('decideApproval', async ({ context }) => {
      validateAgentId(agentId);
      checkDecision(toolCallId, decision);
      return context.directory.resolve(agentId, (keys) =>
        context.driver.transact(() => decide(agentId, keys, toolCallId, decision, this[CLOCK].now())),
      );
    });
  }

  exists(agentId: string): Promise<boolean> {
    return this.run('exists', async ({ context }) => {
      validateAgentId(agentId);
      context.directory.forget(agentId);
      return (await context.directory.find(agentId)) !== undefined;
    });
  }

  delete(agentId: string): Promise<void> {
    return this.run('delete', async ({ context: { directory, driver }, committer }) => {
      validateAgentId(agentId);
      await committer.exclusively(agentId, async () => {
        directory.forget(agentId);
        const keys = await directory.find(agentId);
        if (keys) await driver.transact(() => deleteAgent(agentId, keys));
        directory.forget(agentId);
        committer.forget(agentId);
      });
    });
  }

  list(prefix = ''): Promise<string[]> {
    return this.run('list', ({ context }) => listAgents(context.driver, prefix));
  }

  querySessions(filter?: SessionQueryFilter): Promise<AgentInfo[]> {
    return this.run('querySessions', ({ queries }) => querySessions(queries, filter));
  }

  queryMessages(filter?: MessageQueryFilter): Promise<MessageRecord[]> {
    return this.run('queryMessages', ({ queries }) => queryMessages(queries, filter));
  }

  queryToolCalls(filter?: ToolCallQueryFilter): Promise<AgentToolCallRecord[]> {
    return this.run('queryToolCalls', ({ queries }) => queryToolCalls(queries, filter));
  }

  aggregateStats(agentIdOrFilter?: string | StatsFilter): Promise<AgentStats> {
    return this.run('aggregateStats', ({ queries }) => aggregateStats(queries, agentIdOrFilter));
  }

  iterateSessions(filter?: SessionQueryFilter): AsyncIterable<AgentInfo> {
    return this.iteratePages('iterateSessions', ({ queries }) => iterateSessions(queries, filter));
  }

  iterateMessages(filter?: MessageQueryFilter): AsyncIterable<MessageRecord> {
    return this.iteratePages('iterateMessages', ({ queries }) => iterateMessages(queries, filter));
  }

  iterateToolCalls(filter?: ToolCallQueryFilter): AsyncIterable<AgentToolCallRecord> {
    return this.iteratePages('iterateToolCalls', ({ queries }) => iterateToolCalls(queries, filter));
  }

  healthCheck(): Promise<HealthReport> {
    return this.lifecycle.run('healthCheck', () =>
      checkHealth(() => this.connected(), this.fileStoreDirectory, this[CLOCK]),
    );
  }

  checkConsistency(agentId?: string): Promise<ConsistencyReport> {
    return this.run('checkConsistency', ({ context }) => {
      if (agentId !== undefined) validateAgentId(agentId);
      return checkConsistency(context, agentId);
    });
  }

  getMetrics(): StoreMetrics {
    this.lifecycle.assertOpen();
    return {
      startedAt: this.lifecycle.startedAt,
      operations: this.lifecycle.metrics(),
      leasesHeld: this.leasesHeld(),
    };
  }

  backup(path?: string): Promise<string> {
    return this.run('backup', ({ context }) =>
      this.writeBackup(context.driver.backup.bind(context.driver), path),
    );
  }

  watch(agentId: string, options: WatchOptions = {}): AsyncIterable<WatchItem> {
    return this.iterate('watch', ({ context }) =>
      watchEvents(context, agentId, options, this.lifecycle.closing),
    );
  }

  #load<T>(operation: string, agentId: string, what: Load<T>): Promise<T> {
    return this.run(operation, async ({ context }) => {
      validateAgentId(agentId);
      return load(context, agentId, what);
    });
  }

  async #narrow(operation: string, agentId: string, change: TurnCommit): Promise<void> {
    await this.run(operation, async ({ committer }) => {
      validateAgentId(agentId);
      await committer.commit(agentId, encodeCommit(agentId, change));
    });
  }
}
