import { resolve } from 'node:path';
import { StoreConfigError, ValidationError } from '../errors.ts';
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
import { CLOCK, type Clock, clockOf } from '../model/clock.ts';
import { checkLease, encodeCommit } from '../model/encode-commit.ts';
import { generateAgentId, validateAgentId, validateId } from '../model/ids.ts';
import type { Message } from '../model/message.ts';
import type { ToolCallRecord, ToolCallUpdate } from '../model/tool-call.ts';
import type {
  AgentLease,
  ApprovalDecision,
  ForkOptions,
  LeaseOptions,
  ReadEventsOptions,
  Store,
  WriteOptions,
} from '../store/store.ts';
import { validateEventOptions } from '../store/validate-filter.ts';
import type { OpenAgent } from './agent-files.ts';
import {
  checkDecision,
  checkDelta,
  checkDocument,
  checkDocumentKind,
  checkDocumentName,
  checkGiven,
} from './arguments.ts';
import { readDelta, writeDelta } from './delta-file.ts';
import { readDocument } from './document-files.ts';
import { deleteDocument, saveDocument } from './documents.ts';
import { type Engine, newKey } from './engine.ts';
import type { Durability } from './log-file.ts';
import { Paths } from './paths.ts';
import { planCommit, planCreation } from './plan-commit.ts';
import { planDecision } from './plan-decision.ts';
import { beginningOf, readEventPage } from './read-events.ts';
import { Session } from './session.ts';
import { documentKey } from './state.ts';
import * as views from './views.ts';

export interface JSONStoreOptions {
  /**
   * `full` (the default): a commit that was acknowledged survives a power cut. `normal`: it survives the
   * end of the process; a power cut may take the last ones.
   */
  durability?: Durability | undefined;
}

/**
 * Keeps agents in a folder of JSON files, for one process at a time: no database, no queries. The folder
 * is opened by the first call.
 *
 * @example
 * const store = new JSONStore('./data/store');
 */
export class JSONStore implements Store {
  readonly [CLOCK]: Clock;
  readonly #session: Session;

  constructor(baseDir: string, options: JSONStoreOptions = {}) {
    if (typeof baseDir !== 'string' || baseDir.trim() === '') {
      throw new StoreConfigError('baseDir: must be the path of a folder.');
    }
    const { durability = 'full' } = options;
    if (durability !== 'full' && durability !== 'normal') {
      throw new StoreConfigError('durability: must be "full" or "normal".');
    }
    this[CLOCK] = clockOf(options);
    this.#session = new Session(new Paths(resolve(baseDir)), durability, this[CLOCK]);
  }

  async commit(agentId: string, change: TurnCommit): Promise<CommitResult> {
    const creates = change?.expectedVersion === 0 && change.info !== undefined;
    return this.#commit(agentId, change, { creates });
  }

  async saveInfo(agentId: string, info: AgentInfoInput, options?: WriteOptions): Promise<void> {
    await this.#commit(agentId, { info: checkGiven('info', info), ...lease(options) }, { creates: true });
  }

  async loadInfo(agentId: string): Promise<AgentInfo | undefined> {
    return this.#run(agentId, (engine) =>
      engine.cell(agentId).work((agent) => agent && views.toInfo(agent.state)),
    );
  }

  async saveMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void> {
    const change = { messages: checkGiven('messages', messages), ...lease(options) };
    await this.#commit(agentId, change, { replace: true });
  }

  async appendMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void> {
    await this.#commit(agentId, { messages: checkGiven('messages', messages), ...lease(options) });
  }

  async loadMessages(agentId: string): Promise<Message[]> {
    return this.#use(agentId, ({ state }) => views.toMessages(state.conversation.messages, agentId));
  }

  async loadContext(agentId: string): Promise<Message[]> {
    return this.#use(agentId, ({ state }) => views.toContext(state));
  }

  async saveToolCallRecords(
    agentId: string,
    records: ToolCallUpdate[],
    options?: WriteOptions,
  ): Promise<void> {
    await this.#commit(agentId, { toolCalls: checkGiven('toolCalls', records), ...lease(options) });
  }

  async loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]> {
    return this.#use(agentId, ({ state }) => views.toCalls(state));
  }

  async saveTodos(agentId: string, snapshot: TodoSnapshot, options?: WriteOptions): Promise<void> {
    await this.#commit(agentId, { todos: checkGiven('todos', snapshot), ...lease(options) });
  }

  async loadTodos(agentId: string): Promise<TodoSnapshot | undefined> {
    return this.#use(agentId, ({ state }) => views.toTodos(state));
  }

  async loadCompactions(agentId: string): Promise<CompactionRecord[]> {
    return this.#use(agentId, ({ state }) => views.toCompactions(state));
  }

  async loadAgent(agentId: string): Promise<LoadedAgent> {
    return this.#use(agentId, ({ state }) => views.toLoadedAgent(state));
  }

  async appendEvent(agentId: string, event: NewEvent): Promise<number> {
    return (await this.#commit(agentId, { events: [event] })).cursor;
  }

  async *readEvents(agentId: string, options?: ReadEventsOptions): AsyncGenerator<StoredEvent> {
    const query = validateEventOptions(options);
    for (let next: number | undefined = beginningOf(query); next !== undefined; ) {
      const from: number = next;
      const page = await this.#use(agentId, (agent) => readEventPage(agent, from, query));
      yield* page.events;
      next = page.next;
    }
  }

  async saveDelta(agentId: string, delta: Delta): Promise<void> {
    const text = checkDelta(delta);
    return this.#use(agentId, ({ directory, state }) => writeDelta(directory, state.stepN, text));
  }

  async loadDelta(agentId: string): Promise<Delta | undefined> {
    return this.#use(agentId, ({ directory, state }) => readDelta(directory, state.stepN));
  }

  async saveSnapshot(agentId: string, snapshot: NewSnapshot, options?: WriteOptions): Promise<void> {
    await this.#commit(agentId, { snapshot: checkGiven('snapshot', snapshot), ...lease(options) });
  }

  async loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined> {
    validateId('snapshotId', snapshotId);
    return this.#use(agentId, ({ state }) => {
      const snapshot = state.snapshots.get(snapshotId);
      return snapshot && views.toSnapshot(snapshot, agentId);
    });
  }

  async listSnapshots(agentId: string): Promise<SnapshotInfo[]> {
    return this.#use(agentId, ({ state }) => views.toSnapshotList(state));
  }

  async fork(agentId: string, options: ForkOptions = {}): Promise<string> {
    const { at, agentId: childId = generateAgentId() } = options;
    validateAgentId(childId);
    await this.#run(agentId, (engine) => engine.fork(agentId, at, childId));
    return childId;
  }

  async saveDocument(
    agentId: string,
    document: { kind: DocumentKind; name: string; content: unknown },
    options?: WriteOptions,
  ): Promise<void> {
    const checked = checkDocument(agentId, document, options);
    return this.#run(agentId, (engine) => saveDocument(engine, agentId, checked));
  }

  async loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined> {
    const key = documentKey(checkDocumentKind(kind), checkDocumentName(name));
    return this.#use(agentId, async ({ directory, state }) => {
      const held = state.documents.get(key);
      return held && readDocument(directory, held);
    });
  }

  async listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]> {
    checkDocumentKind(kind);
    return this.#use(agentId, async ({ directory, state }) => {
      const documents: AgentDocument[] = [];
      for (const held of state.documents.values()) {
        if (held.kind === kind) documents.push(await readDocument(directory, held));
      }
      return documents;
    });
  }

  async deleteDocument(
    agentId: string,
    kind: DocumentKind,
    name: string,
    options?: WriteOptions,
  ): Promise<void> {
    const checked = {
      kind: checkDocumentKind(kind),
      name: checkDocumentName(name),
      lease: checkLease(agentId, options?.lease),
    };
    return this.#run(agentId, (engine) => deleteDocument(engine, agentId, checked));
  }

  async acquireAgentLock(agentId: string, options?: LeaseOptions | number): Promise<AgentLease> {
    return this.#run(agentId, (engine) =>
      engine.leases.acquire(agentId, options, () => engine.cell(agentId).use(() => undefined)),
    );
  }

  async decideApproval(
    agentId: string,
    toolCallId: string,
    decision: ApprovalDecision,
  ): Promise<ToolCallRecord> {
    const checked = checkDecision(toolCallId, decision);
    return this.#run(agentId, (engine) =>
      engine.cell(agentId).write((state) => planDecision(state, checked, this[CLOCK].now())),
    );
  }

  async exists(agentId: string): Promise<boolean> {
    return this.#run(agentId, (engine) => engine.exists(agentId));
  }

  async delete(agentId: string): Promise<void> {
    return this.#run(agentId, (engine) => engine.remove(agentId));
  }

  async list(prefix = ''): Promise<string[]> {
    if (typeof prefix !== 'string') throw new ValidationError('prefix', 'must be a string');
    return this.#session.run((engine) => engine.files.list(prefix));
  }

  async close(): Promise<void> {
    return this.#session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #commit(
    agentId: string,
    change: TurnCommit,
    { creates = false, replace = false } = {},
  ): Promise<CommitResult> {
    validateAgentId(agentId);
    // At once: what the caller does with its objects afterwards is its own business.
    const encoded = encodeCommit(agentId, change);
    return this.#session.run((engine) => {
      const { leases } = engine;
      const options = () => ({ replace, fence: leases.check.bind(leases), now: this[CLOCK].now() });
      return engine.cell(agentId).write(
        (state) => planCommit(state, encoded, options()),
        // Whoever comes with a lease means the agent that the lease was for.
        creates && !encoded.lease ? () => planCreation(agentId, newKey(), encoded, options()) : undefined,
      );
    });
  }

  /** Something that needs the agent, and has it to itself. */
  async #use<T>(agentId: string, work: (agent: OpenAgent) => Promise<T> | T): Promise<T> {
    return this.#run(agentId, (engine) => engine.cell(agentId).use(work));
  }

  async #run<T>(agentId: string, work: (engine: Engine) => Promise<T>): Promise<T> {
    validateAgentId(agentId);
    return this.#session.run(work);
  }
}

function lease(options: WriteOptions | undefined): Pick<TurnCommit, 'lease'> {
  return { lease: options?.lease };
}
