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
  WorkingSet,
} from '../model/agent.ts';
import { CLOCK, type Clock } from '../model/clock.ts';
import { checkInTime, isInTime } from '../model/database-time.ts';
import { type EncodedCommit, encodeCommit, encodeEvent } from '../model/encode-commit.ts';
import { validateAgentId, validateId } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import type { Message } from '../model/message.ts';
import type { ToolCallRecord, ToolCallUpdate } from '../model/tool-call.ts';
import { acquireInTime } from './acquire-in-time.ts';
import {
  checkDecision,
  checkDelta,
  checkDocument,
  checkDocumentKind,
  checkDocumentName,
  checkFork,
  checkGiven,
  checkLeaseOptions,
  checkLongCall,
  checkPrefix,
  checkWriteOptions,
} from './arguments.ts';
import { type ClosingLimit, Lifecycle } from './lifecycle.ts';
import { Opening } from './opening.ts';
import type {
  AgentLease,
  ApprovalDecision,
  ForkOptions,
  LeaseOptions,
  LongCallOptions,
  ReadEventsOptions,
  Store,
  WriteOptions,
} from './store.ts';
import type { TrustingStore } from './trusting-store.ts';
import { REPEATABLE_COMMIT } from './unknown-outcome.ts';
import { validateEventOptions } from './validate-filter.ts';

/**
 * The one edge of every backend. Each call is refused on a closed store, has all of its arguments checked
 * and encoded once and at once (what the caller does with its objects afterwards is its own business),
 * opens the backend where it is the first, is counted and timed, and is then handed on to methods that trust.
 */
export abstract class CheckedStore<B extends TrustingStore> implements Store {
  readonly [CLOCK]: Clock;
  protected readonly lifecycle: Lifecycle;
  protected readonly opening = new Opening((signal) => this.openBackend(signal));

  constructor(clock: Clock) {
    this[CLOCK] = clock;
    this.lifecycle = new Lifecycle(clock, (error) => this.explain(error));
  }

  /** Opens what is stored. Called by the first call; again after a failure. Ends with the signal. */
  protected abstract openBackend(signal: AbortSignal): Promise<B>;

  /** What an error of the backend is to its caller. */
  protected explain(error: unknown): unknown {
    return error;
  }

  async open(options?: LongCallOptions): Promise<this> {
    await this.lifecycle.run('open', () => {
      const signal = reading('open', () => checkLongCall(options));
      return this.opening.now(signal);
    });
    return this;
  }

  close(): Promise<void> {
    return this.lifecycle.close(async () => {
      await (await this.opening.settled())?.close();
    }, this.closingLimit);
  }

  /** For a backend that may not answer. */
  protected readonly closingLimit: ClosingLimit | undefined;

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  commit(agentId: string, change: TurnCommit): Promise<CommitResult> {
    let kind = 'commit';
    return this.run(
      'commit',
      () => {
        validateAgentId(agentId);
        const encoded = encodeCommit(agentId, change);
        if (encoded.operation) kind = REPEATABLE_COMMIT;
        return encoded;
      },
      (backend, encoded) => {
        const { latest } = encoded;
        if (latest === undefined || isInTime(latest, backend.time)) return backend.commit(agentId, encoded);
        return checkInTime('at', latest, backend.time).then(() => backend.commit(agentId, encoded));
      },
      () => kind,
    );
  }

  saveInfo(agentId: string, info: AgentInfoInput, options?: WriteOptions): Promise<void> {
    return this.run(
      'saveInfo',
      () => encodePart(agentId, 'info', info, options),
      (backend, encoded) => backend.saveInfo(agentId, encoded),
    );
  }

  loadInfo(agentId: string): Promise<AgentInfo | undefined> {
    return this.ask('loadInfo', agentId, (backend) => backend.loadInfo(agentId));
  }

  saveMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void> {
    return this.run(
      'saveMessages',
      () => encodePart(agentId, 'messages', messages, options),
      (backend, encoded) => backend.saveMessages(agentId, encoded),
    );
  }

  appendMessages(agentId: string, messages: Message[], options?: WriteOptions): Promise<void> {
    return this.#narrow('appendMessages', agentId, 'messages', messages, options);
  }

  loadMessages(agentId: string): Promise<Message[]> {
    return this.ask('loadMessages', agentId, (backend) => backend.loadMessages(agentId));
  }

  loadContext(agentId: string): Promise<Message[]> {
    return this.ask('loadContext', agentId, (backend) => backend.loadContext(agentId));
  }

  saveToolCallRecords(agentId: string, records: ToolCallUpdate[], options?: WriteOptions): Promise<void> {
    return this.#narrow('saveToolCallRecords', agentId, 'toolCalls', records, options);
  }

  loadToolCallRecords(agentId: string): Promise<ToolCallRecord[]> {
    return this.ask('loadToolCallRecords', agentId, (backend) => backend.loadToolCallRecords(agentId));
  }

  loadOpenCalls(agentId: string): Promise<ToolCallRecord[]> {
    return this.ask('loadOpenCalls', agentId, (backend) => backend.loadOpenCalls(agentId));
  }

  saveTodos(agentId: string, snapshot: TodoSnapshot, options?: WriteOptions): Promise<void> {
    return this.#narrow('saveTodos', agentId, 'todos', snapshot, options);
  }

  loadTodos(agentId: string): Promise<TodoSnapshot | undefined> {
    return this.ask('loadTodos', agentId, (backend) => backend.loadTodos(agentId));
  }

  loadCompactions(agentId: string): Promise<CompactionRecord[]> {
    return this.ask('loadCompactions', agentId, (backend) => backend.loadCompactions(agentId));
  }

  loadAgent(agentId: string): Promise<LoadedAgent> {
    return this.ask('loadAgent', agentId, (backend) => backend.loadAgent(agentId));
  }

  loadWorkingSet(agentId: string): Promise<WorkingSet> {
    return this.ask('loadWorkingSet', agentId, (backend) => backend.loadWorkingSet(agentId));
  }

  appendEvent(agentId: string, event: NewEvent): Promise<number> {
    return this.lifecycle.call('appendEvent', (call) => {
      validateAgentId(agentId);
      const encoded = encodeEvent(event, 'event');
      const backend = this.opening.ready;
      if (backend) {
        backend.appendEvent(agentId, encoded, call);
        return;
      }
      this.opening
        .whenOpen(async (opened) => opened.appendEvent(agentId, encoded, call))
        .catch((error: unknown) => call.reject(error));
    });
  }

  readEvents(agentId: string, options?: ReadEventsOptions): AsyncIterable<StoredEvent> {
    return this.lifecycle.iteratePages('readEvents', async () => {
      validateAgentId(agentId);
      const query = validateEventOptions(options);
      const backend = await this.opening.now();
      return { pages: backend.readEvents(agentId, query), decode: (event: StoredEvent) => event };
    });
  }

  saveDelta(agentId: string, delta: Delta): Promise<boolean> {
    return this.run(
      'saveDelta',
      () => {
        validateAgentId(agentId);
        return checkDelta(delta);
      },
      (backend, text) => backend.saveDelta(agentId, text),
    );
  }

  loadDelta(agentId: string): Promise<Delta[]> {
    return this.ask('loadDelta', agentId, (backend) => backend.loadDelta(agentId));
  }

  isWatched(agentId: string): Promise<boolean> {
    return this.ask('isWatched', agentId, (backend) => backend.isWatched(agentId));
  }

  saveSnapshot(agentId: string, snapshot: NewSnapshot, options?: WriteOptions): Promise<void> {
    return this.#narrow('saveSnapshot', agentId, 'snapshot', snapshot, options);
  }

  loadSnapshot(agentId: string, snapshotId: string): Promise<Snapshot | undefined> {
    return this.run(
      'loadSnapshot',
      () => {
        validateAgentId(agentId);
        validateId('snapshotId', snapshotId);
      },
      (backend) => backend.loadSnapshot(agentId, snapshotId),
    );
  }

  listSnapshots(agentId: string): Promise<SnapshotInfo[]> {
    return this.ask('listSnapshots', agentId, (backend) => backend.listSnapshots(agentId));
  }

  fork(agentId: string, options?: ForkOptions): Promise<string> {
    return this.run(
      'fork',
      () => {
        validateAgentId(agentId);
        return checkFork(options);
      },
      async (backend, fork) => {
        await backend.fork(agentId, fork);
        return fork.agentId;
      },
    );
  }

  saveDocument(
    agentId: string,
    document: { kind: DocumentKind; name: string; content: unknown },
    options?: WriteOptions,
  ): Promise<void> {
    return this.run(
      'saveDocument',
      () => {
        validateAgentId(agentId);
        return { document: checkDocument(document), lease: checkWriteOptions(agentId, options) };
      },
      (backend, checked) => backend.writeDocument(agentId, checked.document, checked.lease),
    );
  }

  loadDocument(agentId: string, kind: DocumentKind, name: string): Promise<AgentDocument | undefined> {
    return this.run(
      'loadDocument',
      () => {
        validateAgentId(agentId);
        checkDocumentKind(kind);
        checkDocumentName(name);
      },
      (backend) => backend.loadDocument(agentId, kind, name),
    );
  }

  listDocuments(agentId: string, kind: DocumentKind): Promise<AgentDocument[]> {
    return this.run(
      'listDocuments',
      () => {
        validateAgentId(agentId);
        checkDocumentKind(kind);
      },
      (backend) => backend.listDocuments(agentId, kind),
    );
  }

  deleteDocument(agentId: string, kind: DocumentKind, name: string, options?: WriteOptions): Promise<void> {
    return this.run(
      'deleteDocument',
      () => {
        validateAgentId(agentId);
        checkDocumentKind(kind);
        checkDocumentName(name);
        return checkWriteOptions(agentId, options);
      },
      (backend, lease) => backend.writeDocument(agentId, { kind, name, payload: null }, lease),
    );
  }

  acquireAgentLock(agentId: string, options?: LeaseOptions | number): Promise<AgentLease> {
    return this.lifecycle.run('acquireAgentLock', () => {
      const checked = reading('acquireAgentLock', () => {
        validateAgentId(agentId);
        return checkLeaseOptions(options);
      });
      return acquireInTime(agentId, checked.waitMs, this[CLOCK], () =>
        this.whenReady((backend) => backend.acquireAgentLock(agentId, checked, this.lifecycle.closing)),
      );
    });
  }

  decideApproval(agentId: string, toolCallId: string, decision: ApprovalDecision): Promise<ToolCallRecord> {
    return this.run(
      'decideApproval',
      () => {
        validateAgentId(agentId);
        return checkDecision(toolCallId, decision);
      },
      (backend, checked) => backend.decideApproval(agentId, checked),
    );
  }

  exists(agentId: string): Promise<boolean> {
    return this.ask('exists', agentId, (backend) => backend.exists(agentId));
  }

  delete(agentId: string): Promise<void> {
    return this.ask('delete', agentId, (backend) => backend.delete(agentId));
  }

  list(prefix?: string): Promise<string[]> {
    return this.run(
      'list',
      () => checkPrefix(prefix),
      (backend, checked) => backend.list(checked),
    );
  }

  /** A call: `check` throws whatever its arguments deserve, and gives what `work` is to trust. */
  protected run<A, T>(
    operation: string,
    check: () => A,
    work: (backend: B, checked: A) => Promise<T>,
    kind?: () => string,
  ): Promise<T> {
    const call = () => {
      const checked = reading(operation, check);
      return this.whenReady((backend) => work(backend, checked));
    };
    return this.lifecycle.run(operation, call, kind);
  }

  /** The same for a call with a signal, which also ends waiting for the backend. */
  protected runUntil<A extends { readonly signal: AbortSignal | undefined }, T>(
    operation: string,
    check: () => A,
    work: (backend: B, checked: A) => Promise<T>,
  ): Promise<T> {
    return this.lifecycle.run(operation, () => {
      const checked = reading(operation, check);
      return this.whenReady((backend) => work(backend, checked), checked.signal);
    });
  }

  /** At once, if the backend is open. */
  protected whenReady<T>(work: (backend: B) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const backend = this.opening.ready;
    return backend ? work(backend) : this.opening.whenOpen(work, signal);
  }

  /** A call whose only argument is an agent's id. */
  protected ask<T>(operation: string, agentId: string, work: (backend: B) => Promise<T>): Promise<T> {
    return this.run(operation, () => validateAgentId(agentId), work);
  }

  /** Nothing happens, and nothing is refused, before the first step of the iteration. Its signal ends it. */
  protected iterate<A extends { readonly signal: AbortSignal | undefined }, T>(
    operation: string,
    check: () => A,
    source: (backend: B, checked: A) => AsyncIterable<T>,
  ): AsyncIterable<T> {
    const { opening } = this;
    return this.lifecycle.iterate(operation, async function* () {
      const checked = reading(operation, check);
      const { signal } = checked;
      const backend = await opening.now(signal).catch((error: unknown) => {
        if (!signal?.aborted) throw error;
      });
      if (backend) yield* source(backend, checked);
    });
  }

  async #narrow<K extends 'messages' | 'toolCalls' | 'todos' | 'snapshot'>(
    operation: string,
    agentId: string,
    part: K,
    value: TurnCommit[K],
    options: WriteOptions | undefined,
  ): Promise<void> {
    await this.run(
      operation,
      () => encodePart(agentId, part, value, options),
      (backend, encoded) => backend.commit(agentId, encoded),
    );
  }
}

/** A commit of one part. */
function encodePart<K extends 'info' | 'messages' | 'toolCalls' | 'todos' | 'snapshot'>(
  agentId: string,
  part: K,
  value: TurnCommit[K],
  options: WriteOptions | undefined,
): EncodedCommit {
  validateAgentId(agentId);
  const change: TurnCommit = { [part]: checkGiven(part, value) };
  const encoded = encodeCommit(agentId, change);
  encoded.lease = checkWriteOptions(agentId, options);
  return encoded;
}
