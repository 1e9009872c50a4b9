import {
  AgentExistsError,
  AgentNotFoundError,
  ValidationError,
  VersionConflictError,
} from '../../src/errors.ts';
import type {
  AgentInfoInput,
  CommitResult,
  DocumentKind,
  NewSnapshot,
  TurnCommit,
} from '../../src/model/agent.ts';
import type { Message } from '../../src/model/message.ts';
import { isTerminal, type ToolCallRecord, type ToolCallUpdate } from '../../src/model/tool-call.ts';
import type { ApprovalDecision } from '../../src/store/store.ts';
import type { Call, ModelAgent, ModelCompaction, ModelSnapshot, Row } from './model-agent.ts';
import { isAnswered, isPrefix, newAgent } from './model-agent.ts';
import {
  applyUpdate,
  callsBeforeCut,
  countWithin,
  decide,
  inheritedCalls,
  isUnasked,
  openCalls,
} from './model-calls.ts';

/**
 * What a store does, on plain arrays, without any thought of cost: a fork is a copy, a commit changes a
 * copy of the agent that takes the agent's place when all went well. Instants that a store chooses itself
 * are told to it.
 */
export class Model {
  /** Living agents, the oldest first. */
  agents: readonly ModelAgent[] = [];
  /**
   * Keys of calls that an agent had in common with others until it changed them: these may have a copy each, or
   * share some.
   */
  readonly copied = new Set<number>();
  #key = 0;
  readonly #nextKey = () => ++this.#key;

  find(agentId: string): ModelAgent | undefined {
    return this.agents.find((agent) => agent.id === agentId);
  }

  get(agentId: string): ModelAgent {
    const agent = this.find(agentId);
    if (!agent) throw new AgentNotFoundError(agentId);
    return agent;
  }

  commit(agentId: string, change: TurnCommit, at: number): CommitResult {
    const before = this.find(agentId);
    const { expectedVersion, lease: _, operationId, ...rest } = change;
    const fingerprint = JSON.stringify(rest);
    const repeated = operationId === undefined ? undefined : before?.operations.get(operationId);
    if (repeated) {
      if (repeated.fingerprint !== fingerprint) throw new ValidationError('operationId', 'another change');
      return repeated.result as CommitResult;
    }
    const creates = expectedVersion === 0 && change.info !== undefined;
    if (creates && before) throw new AgentExistsError(agentId);
    if (!creates && !before) throw new AgentNotFoundError(agentId);
    if (before && expectedVersion !== undefined && before.version !== expectedVersion) {
      throw new VersionConflictError(agentId, expectedVersion, before.version);
    }
    const agent = before ? { ...before } : this.#created(agentId, change.info ?? {}, at);
    const eventsOnly = Object.keys(rest).every((key) => ['events', 'at', 'allowFuture'].includes(key));
    if (before && !eventsOnly) agent.version += 1;
    agent.lastAt = Math.max(agent.lastAt, at);

    this.#append(agent, change.messages ?? [], at);
    for (const update of change.toolCalls ?? []) applyUpdate(agent, this.#nextKey, update, at);
    if (before && change.info) applyInfo(agent, change.info);
    if (change.compaction) {
      const { seq, messages } = change.compaction;
      if (seq > agent.rows.length) throw new ValidationError('compaction.seq', 'beyond the conversation');
      const texts = messages.map((message) => JSON.stringify(message));
      const compaction: ModelCompaction = {
        seq,
        messages: texts,
        createdAt: at,
        madeAt: agent.rows.length,
        cut: false,
      };
      agent.compactions = [...agent.compactions, compaction];
      agent.wasCompacted = true;
    }
    if (change.todos) {
      const { todos, version = agent.version, updatedAt = new Date(at) } = change.todos;
      agent.todos = { todos: structuredClone(todos), version, updatedAt };
    }
    agent.usage = [...agent.usage, ...(change.usage ?? [])];
    agent.events = [...agent.events, ...(change.events ?? [])];
    if (change.snapshot) snapshot(agent, change.snapshot, at);

    const result = {
      version: agent.version,
      messageCount: agent.rows.length,
      cursor: agent.events.length,
    };
    if (operationId !== undefined) {
      agent.operations = new Map(agent.operations).set(operationId, { fingerprint, result });
    }
    this.#put(agent);
    return result;
  }

  saveInfo(agentId: string, info: AgentInfoInput, at: number): void {
    this.commit(agentId, this.find(agentId) ? { info } : { info, expectedVersion: 0 }, at);
  }

  saveMessages(agentId: string, messages: readonly Message[], at: number): void {
    const agent = { ...this.get(agentId) };
    const texts = messages.map((message) => JSON.stringify(message));
    let kept = 0;
    while (kept < texts.length && agent.rows[kept]?.text === texts[kept]) kept += 1;
    if (kept < agent.rows.length) this.#cut(agent, kept);
    agent.version += 1;
    agent.lastAt = Math.max(agent.lastAt, at);
    this.#append(agent, messages.slice(kept), at);
    this.#put(agent);
  }

  saveToolCallRecords(agentId: string, records: ToolCallUpdate[], at: number): void {
    this.commit(agentId, { toolCalls: records }, at);
  }

  appendEvent(agentId: string, event: NonNullable<TurnCommit['events']>[number], at: number): number {
    return this.commit(agentId, { events: [event] }, at).cursor;
  }

  decideApproval(agentId: string, toolCallId: string, decision: ApprovalDecision): ToolCallRecord {
    const agent = { ...this.get(agentId) };
    const record = decide(agent, toolCallId, decision);
    this.#put(agent);
    return record;
  }

  /** The number of messages that a fork at this place has; throws where there is no such place. */
  forkPosition(agentId: string, at: string | number | undefined): number {
    const agent = this.get(agentId);
    if (at === undefined) return agent.rows.length;
    if (typeof at === 'number') {
      if (Number.isInteger(at) && at >= 0 && at <= agent.rows.length) return at;
      throw new ValidationError('at', 'no such position');
    }
    const found = agent.snapshots.find((one) => one.id === at);
    if (!found) throw new ValidationError('at', 'no such snapshot');
    return found.messages.length;
  }

  fork(agentId: string, at: string | number | undefined, as: { agentId: string; createdAt: number }): void {
    const parent = this.get(agentId);
    const position = this.forkPosition(agentId, at);
    if (this.find(as.agentId)) throw new AgentExistsError(as.agentId);
    const saved = parent.snapshots.find((one) => one.id === at);
    const rows = saved?.rows ?? parent.rows.slice(0, position);
    const agent: ModelAgent = {
      ...newAgent(this.#nextKey(), as.agentId, as.createdAt),
      lineage: [...parent.lineage, parent.id],
    };
    agent.templateId = parent.templateId;
    agent.userId = parent.userId;
    agent.metadata = structuredClone(parent.metadata);
    agent.configVersion = parent.configVersion;
    agent.lastSfpIndex = Math.min(parent.lastSfpIndex, position - 1);
    agent.lastAt = Math.max(as.createdAt, rows.at(-1)?.createdAt ?? 0);
    agent.rows = rows;
    const calls = saved?.calls ?? parent.calls;
    const whole = !saved && position === parent.rows.length;
    const count = whole ? calls.length : countWithin(calls, position);
    agent.calls = inheritedCalls(calls, rows, count, agent.key, this.#nextKey);
    const waits = agent.calls.some(({ record }) => record.state === 'approval_required');
    agent.status = waits ? 'awaiting_approval' : 'idle';
    agent.compactions = parent.compactions.filter((compaction) => compaction.madeAt <= position);
    agent.wasCompacted = agent.compactions.length > 0;
    if (position === parent.rows.length) agent.todos = parent.todos;
    this.#put(agent);
  }

  saveDocument(agentId: string, kind: DocumentKind, name: string, content: unknown, at: number): void {
    const agent = this.get(agentId);
    const same = (one: { kind: string; name: string }) => one.kind === kind && one.name === name;
    const createdAt = agent.documents.find(same)?.createdAt ?? at;
    const document = { kind, name, content: JSON.stringify(content), createdAt, updatedAt: at };
    this.commit(agentId, { info: {} }, at);
    this.#put({
      ...this.get(agentId),
      documents: [...agent.documents.filter((one) => !same(one)), document],
    });
  }

  deleteDocument(agentId: string, kind: DocumentKind, name: string): void {
    const agent = this.get(agentId);
    const documents = agent.documents.filter((one) => one.kind !== kind || one.name !== name);
    this.#put({ ...agent, documents });
  }

  /** The version that the store reports: whether deleting what isn't there is a commit is its own affair. */
  setVersion(agentId: string, version: number): void {
    this.#put({ ...this.get(agentId), version });
  }

  /** What a fork at a snapshot takes over of this is the store's affair. */
  adoptSfpIndex(agentId: string, lastSfpIndex: number): void {
    this.#put({ ...this.get(agentId), lastSfpIndex });
  }

  delete(agentId: string): void {
    this.agents = this.agents.filter((agent) => agent.id !== agentId);
  }

  /** What an agent changes of a call that others have, too, is from then on a call of its own. */
  #separateCalls(agent: ModelAgent, others: readonly ModelAgent[]): void {
    const before = new Map(this.find(agent.id)?.calls.map((call) => [call.key, call.record]));
    const held = [...others, { ...agent, calls: [] }].flatMap(callsHeld);
    const shared = new Set(held.map((call) => call.key));
    agent.calls = agent.calls.map((call) => {
      const record = before.get(call.key);
      if (!record || record === call.record || !shared.has(call.key)) return call;
      this.copied.add(call.key);
      return { ...call, key: this.#nextKey(), writer: agent.key };
    });
  }

  #created(agentId: string, info: AgentInfoInput, at: number): ModelAgent {
    const createdAt = info.createdAt === undefined ? at : info.createdAt.getTime();
    const agent = newAgent(this.#nextKey(), agentId, createdAt);
    applyInfo(agent, info);
    return agent;
  }

  #append(agent: ModelAgent, messages: readonly Message[], at: number): void {
    for (const message of messages) {
      const row: Row = { text: JSON.stringify(message), createdAt: at, writer: agent.key };
      agent.rows = [...agent.rows, row];
      openCalls(agent, this.#nextKey, row, agent.rows.length - 1);
    }
  }

  /** Takes away everything from a position on; snapshots keep what they have. */
  #cut(agent: ModelAgent, position: number): void {
    for (const one of agent.snapshots) {
      const leaves = one.rows && one.rows.length > position && isPrefix(one.rows, agent.rows);
      if (leaves) one.calls = agent.calls;
    }
    const { rows, calls } = agent;
    agent.rows = rows.slice(0, position);
    agent.calls = callsBeforeCut(calls, position).map((call) => {
      const unanswered = isAnswered(rows, call.record) && !isAnswered(agent.rows, call.record);
      const isCutOff = unanswered || calls.some((one) => one.key === call.key && isUnasked(one, position));
      // Whoever shared it has it with its result still: this one is the agent's own from now on.
      return isCutOff ? { ...call, key: this.#nextKey(), writer: agent.key } : call;
    });
    agent.compactions = agent.compactions
      .filter((compaction) => compaction.seq <= position)
      .map((compaction) => ({ ...compaction, cut: compaction.cut || compaction.madeAt > position }));
  }

  #put(agent: ModelAgent): void {
    const others = this.agents.filter((one) => one.key !== agent.key);
    this.#separateCalls(agent, others);
    this.agents = [...others, agent].sort((one, other) => one.key - other.key);
  }
}

function callsHeld({ calls, snapshots }: ModelAgent): Call[] {
  return [...calls, ...snapshots.flatMap((one) => one.calls ?? [])];
}

function applyInfo(agent: ModelAgent, info: AgentInfoInput): void {
  if (info.templateId !== undefined) agent.templateId = info.templateId;
  if (info.userId !== undefined) agent.userId = info.userId ?? undefined;
  if (info.status !== undefined) agent.status = info.status;
  if (info.configVersion !== undefined) agent.configVersion = info.configVersion;
  if (info.lastSfpIndex !== undefined) agent.lastSfpIndex = info.lastSfpIndex;
  if (info.breakpoint !== undefined) agent.breakpoint = info.breakpoint ?? undefined;
  if (info.metadata !== undefined) agent.metadata = structuredClone(info.metadata);
}

function snapshot(
  agent: ModelAgent,
  { id, messages, lastSfpIndex, createdAt, metadata }: NewSnapshot,
  at: number,
): void {
  const texts = messages?.map((message) => JSON.stringify(message)) ?? agent.rows.map((row) => row.text);
  const own = texts.every((text, n) => agent.rows[n]?.text === text);
  const saved: ModelSnapshot = {
    id,
    messages: texts,
    ...(own ? { rows: agent.rows.slice(0, texts.length) } : {}),
    lastSfpIndex: lastSfpIndex ?? -1,
    createdAt: createdAt?.getTime() ?? at,
    ...(metadata === undefined ? {} : { metadata }),
  };
  agent.snapshots = [...agent.snapshots.filter((one) => one.id !== id), saved];
}

/** A fork there would need an answer that nothing in the store's contract gives. */
export function isMootFork(agent: ModelAgent, at: string | number | undefined, position: number): boolean {
  if (agent.compactions.some((compaction) => compaction.cut && compaction.madeAt > position)) return true;
  const saved = typeof at === 'string' ? agent.snapshots.find((one) => one.id === at) : undefined;
  if (!saved) return false;
  // Messages that were never committed have no calls, and whose rows they become is the store's affair.
  if (!saved.rows) return true;
  if (agent.todos && position === agent.rows.length) return true;
  if (isPrefix(saved.rows, agent.rows)) return false;
  const open = saved.calls?.some(({ record }) => !isTerminal(record.state)) ?? false;
  return open || agent.wasCompacted;
}
