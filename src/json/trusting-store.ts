import { CorruptDataError } from '../errors.ts';
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
import type { Clock } from '../model/clock.ts';
import { type DatabaseTime, hostTime } from '../model/database-time.ts';
import {
  type EncodedCommit,
  type EncodedDocument,
  type EncodedEvent,
  emptyCommit,
  endsStep,
} from '../model/encode-commit.ts';
import type { Message } from '../model/message.ts';
import { Stopwatches } from '../model/stopwatch.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import type { CheckedDecision, CheckedFork, CheckedLease } from '../store/arguments.ts';
import type { Settling } from '../store/lifecycle.ts';
import type { AgentLease } from '../store/store.ts';
import type { TrustingStore } from '../store/trusting-store.ts';
import type { EventQuery } from '../store/validate-filter.ts';
import type { OpenAgent } from './agent-files.ts';
import type { AgentCell } from './cell.ts';
import type { Disk } from './disk.ts';
import { readDocument } from './document-files.ts';
import { deleteDocument, saveDocument } from './documents.ts';
import { type Engine, newKey } from './engine.ts';
import { inOrder } from './in-order.ts';
import { planCommit, planCreation } from './plan-commit.ts';
import { planDecision } from './plan-decision.ts';
import { beginningOf, readEventPage } from './read-events.ts';
import { documentKey } from './state.ts';
import * as views from './views.ts';

/** An open folder as a store. */
export class JsonTrustingStore implements TrustingStore {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #stopwatches = new Stopwatches();
  readonly time: DatabaseTime;

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
    this.time = hostTime(clock);
  }

  commit(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    const creates = change.expectedVersion === 0 && change.info !== undefined;
    return this.#write(agentId, change, { creates });
  }

  async saveInfo(agentId: string, change: EncodedCommit): Promise<void> {
    await this.#write(agentId, change, { creates: true });
  }

  loadInfo(agentId: string): Promise<AgentInfo | undefined> {
    return this.#again(agentId, (cell) => cell.work((agent) => agent && views.toInfo(agent.state)));
  }

  async saveMessages(agentId: string, change: EncodedCommit): Promise<void> {
    await this.#write(agentId, change, { replace: true });
  }

  loadMessages(agentId: string): Promise<Message[]> {
    return this.#use(agentId, ({ state }) => views.toMessages(state.conversation.messages, agentId));
  }

  loadContext(agentId: string): Promise<Message[]> {
    return this.#use(agentId, ({ state }) => views.toContext(state));
  }

  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]> {
    return this.#use(agentId, ({ state }) => views.toCalls(state));
  }

  loadOpenCalls(agentId: string): Promise<ToolCallRecord[]> {
    return this.#use(agentId, ({ state }) => views.toOpenCalls(state));
  }

  loadTodos(agentId: string): Promise<TodoSnapshot | undefined> {
    return this.#use(agentId, ({ state }) => views.toTodos(state));
  }

  loadCompactions(agentId: string): Promise<CompactionRecord[]> {
    return this.#use(agentId, ({ state }) => views.toCompactions(state));
  }

  loadAgent(agentId: string): Promise<LoadedAgent> {
    return this.#use(agentId, ({ state }) => views.toLoadedAgent(state));
  }

  loadWorkingSet(agentId: string): Promise<WorkingSet> {
    return this.#use(agentId, ({ state }) => views.toWorkingSet(state));
  }

  appendEvent(agentId: string, event: EncodedEvent, call: Settling<number>): void {
    const change = { ...emptyCommit(), events: [event], eventsOnly: true };
    this.#write(agentId, change).then(
      ({ cursor }) => call.resolve(cursor),
      (error: unknown) => call.reject(error),
    );
  }

  async *readEvents(agentId: string, query: EventQuery): AsyncGenerator<StoredEvent[]> {
    for (let next: number | undefined = beginningOf(query); next !== undefined; ) {
      const from: number = next;
      const page = await this.#use(agentId, (agent) => readEventPage(agent, from, query));
      yield page.events;
      next = page.next;
    }
  }

  async saveDelta(agentId: string, delta: string): Promise<boolean> {
    this.#disk.assertWritable();
    return this.#use(agentId, ({ state }) => this.#engine.deltas.add(state.header, delta));
  }

  loadDelta(agentId: string): Promise<Delta[]> {
    return this.#use(agentId, ({ state }) => this.#engine.deltas.load(state.header));
  }

  isWatched(agentId: string): Promise<boolean> {
    return this.#use(agentId, () => this.#engine.deltas.isWatched(agentId));
  }

  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined> {
    return this.#use(agentId, ({ state }) => {
      const snapshot = state.snapshots.get(snapshotId);
      return snapshot && views.toSnapshot(snapshot, agentId);
    });
  }

  listSnapshots(agentId: string): Promise<SnapshotInfo[]> {
    return this.#use(agentId, ({ state }) => views.toSnapshotList(state));
  }

  async fork(sourceId: string, { at, agentId }: CheckedFork): Promise<void> {
    this.#disk.assertWritable();
    return this.#engine.fork(sourceId, at, agentId);
  }

  async writeDocument(
    agentId: string,
    document: EncodedDocument,
    lease: LeaseToken | undefined,
  ): Promise<void> {
    this.#disk.assertWritable();
    const { kind, name, payload } = document;
    return payload === null
      ? deleteDocument(this.#engine, agentId, { kind, name, lease })
      : saveDocument(this.#engine, agentId, { kind, name, content: payload, lease });
  }

  loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined> {
    return this.#use(agentId, async ({ directory, state }) => {
      const held = state.documents.get(documentKey(kind, name));
      return held && readDocument(this.#disk, directory, held);
    });
  }

  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]> {
    return this.#use(agentId, async ({ directory, state }) => {
      const documents: AgentDocument[] = [];
      for (const held of state.documents.values()) {
        if (held.kind === kind) documents.push(await readDocument(this.#disk, directory, held));
      }
      return inOrder(documents, ({ name }) => name);
    });
  }

  async acquireAgentLock(agentId: string, options: CheckedLease): Promise<AgentLease> {
    this.#disk.assertWritable();
    return this.#engine.leases.acquire(agentId, options, (work) => this.#use(agentId, work));
  }

  async decideApproval(agentId: string, decision: CheckedDecision): Promise<ToolCallRecord> {
    this.#disk.assertWritable();
    return this.#engine.cell(agentId).write((state) => planDecision(state, decision, this.#clock.now()));
  }

  exists(agentId: string): Promise<boolean> {
    return this.#engine.exists(agentId);
  }

  async delete(agentId: string): Promise<void> {
    this.#disk.assertWritable();
    return this.#engine.remove(agentId);
  }

  list(prefix: string): Promise<string[]> {
    return this.#engine.files.list(prefix);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #write(
    agentId: string,
    change: EncodedCommit,
    { creates = false, replace = false } = {},
  ): Promise<CommitResult> {
    this.#disk.assertWritable();
    const { leases } = this.#engine;
    const options = () => ({
      replace,
      fence: leases.check.bind(leases),
      now: this.#clock.now(),
      timing: { stopwatch: this.#stopwatches.of(agentId), monotonic: this.#clock.monotonic() },
    });
    const result = await this.#engine.cell(agentId).write(
      (state) => planCommit(state, change, options()),
      // Whoever comes with a lease means the agent that the lease was for.
      creates && !change.lease ? () => planCreation(agentId, newKey(), change, options()) : undefined,
    );
    if (replace || endsStep(change)) this.#engine.deltas.drop(agentId);
    return result;
  }

  get #disk(): Disk {
    return this.#engine.files.disk;
  }

  /** Something that needs the agent, and has it to itself. */
  async #use<T>(agentId: string, work: (agent: OpenAgent) => Promise<T> | T): Promise<T> {
    return this.#again(agentId, (cell) => cell.use(work));
  }

  /** Where another process writes to what is only read here, it may replace a file in the midst of it. */
  async #again<T>(agentId: string, work: (cell: AgentCell) => Promise<T>): Promise<T> {
    const cell = () => this.#engine.cell(agentId);
    try {
      return await work(cell());
    } catch (error) {
      if (!this.#disk.readOnly || !(error instanceof CorruptDataError)) throw error;
    }
    await cell().alone(() => cell().unload());
    return work(cell());
  }
}
