import { LeaseNotHeldError } from '../errors.ts';
import type {
  AgentInfo,
  AgentInfoInput,
  AgentStatus,
  CommitResult,
  Compaction,
  TodoSnapshot,
  TurnCommit,
  WorkingSet,
} from '../model/agent.ts';
import { type Clock, clockOf } from '../model/clock.ts';
import type { ContentBlock, Message, ToolUseBlock } from '../model/message.ts';
import { isTerminal, type ToolCallRecord, type ToolCallUpdate } from '../model/tool-call.ts';
import type { AgentLease, Store } from '../store/store.ts';

/** A call of the step under way, as it is stored. */
export type StepCall = Pick<
  ToolCallRecord,
  'callSeq' | 'toolCallId' | 'toolName' | 'input' | 'state' | 'output' | 'error' | 'approval'
>;

/**
 * An agent's stored state, and the one way to change it. It remembers what the next prompt and the next
 * decision of the loop need, and changes its memory only when a commit has succeeded: what it says is what
 * is stored. That holds because the agent's lease keeps other writers out; only approvals are decided by
 * others, see `refreshApprovals`.
 */
export class Journal {
  readonly agentId: string;
  readonly store: Store;
  readonly lease: AgentLease;
  /** The store's: an agent goes by it. */
  readonly clock: Clock;
  #info: AgentInfo | undefined;
  /** The agent was given to a worker, and this is its lease: see `claimResumable`. */
  isWorkers = false;
  messageCount = 0;
  todos: TodoSnapshot | undefined;
  /** What the model sees: the last compaction's messages, and those that follow. */
  context: Message[] = [];
  /** How many of the context's messages are the compaction's, and stand for the first `compactedSeq`. */
  summaryLength = 0;
  compactedSeq = 0;
  /** The calls of the last message, if it is an answer that asked us for any, in their order. */
  calls: StepCall[] = [];
  /** What is remembered may not be what is stored: a commit failed, or had been made before. */
  outdated = false;
  /** What the last commit that failed did fail with. */
  refusal: unknown;
  /** Blocks of the context that a prompt went without, and of which the timeline tells. */
  readonly toldLeftOut = new Set<string>();
  #callCount = 0;

  constructor(store: Store, lease: AgentLease) {
    this.agentId = lease.agentId;
    this.store = store;
    this.lease = lease;
    this.clock = clockOf(store);
  }

  /** An agent that has just been made, of which there is no more than the whole. */
  async loadNew(): Promise<void> {
    const { toolCalls, ...rest } = await this.store.loadAgent(this.agentId);
    const openCalls = toolCalls.filter(({ state }) => !isTerminal(state));
    this.#take({ ...rest, openCalls, callCount: toolCalls.length });
  }

  async load(): Promise<void> {
    this.#take(await this.store.loadWorkingSet(this.agentId));
  }

  #take({ info, messages, openCalls, callCount, todos, compaction }: WorkingSet): void {
    this.#info = info;
    this.messageCount = info.messageCount;
    this.todos = todos;
    this.compactedSeq = compaction?.seq ?? 0;
    this.summaryLength = compaction?.messages.length ?? 0;
    this.context = [...(compaction?.messages ?? []), ...messages];
    this.#callCount = callCount;
    const last = this.messageCount - 1;
    this.calls = callsOf(
      messages.at(-1),
      openCalls.filter((call) => call.messageSeq === last),
    );
    this.outdated = false;
  }

  /** As it was last loaded, with what was stored since then. */
  get info(): AgentInfo {
    if (this.#info === undefined) throw new TypeError(`agent "${this.agentId}" isn't loaded yet`);
    return this.#info;
  }

  get status(): AgentStatus {
    return this.#info?.status ?? 'idle';
  }

  get lastMessage(): Message | undefined {
    return this.context.at(-1);
  }

  /** The last message is an answer whose calls have no results in the conversation yet. */
  get stepIsOpen(): boolean {
    return this.calls.length > 0;
  }

  /** How many whole answers the input has had: the number of the step that the next answer belongs to. */
  get stepNumber(): number {
    const since = this.context.slice(this.context.findLastIndex(isInput) + 1);
    return since.filter(({ role, metadata }) => role === 'assistant' && metadata?.partial !== true).length;
  }

  get waitingCalls(): StepCall[] {
    return this.calls.filter((call) => call.state === 'approval_required');
  }

  /** The ordinal that the next call will have. */
  get nextCallSeq(): number {
    return this.#callCount;
  }

  async commit(change: TurnCommit): Promise<CommitResult> {
    this.assertLeased();
    let result: CommitResult;
    try {
      result = await this.store.commit(this.agentId, { ...change, lease: this.lease });
    } catch (error) {
      this.outdated = true;
      this.refusal = error;
      throw error;
    }
    const appended = change.messages?.length ?? 0;
    if (change.operationId !== undefined && result.messageCount !== this.messageCount + appended) {
      // The store knew the operation: what it returned is that commit's result, from before what came since.
      this.outdated = true;
      return result;
    }
    for (const message of change.messages ?? []) this.#append(message);
    for (const update of change.toolCalls ?? []) this.#update(update);
    this.#note(change.info, result);
    if (change.todos !== undefined) this.todos = { ...change.todos, version: result.version };
    if (change.compaction !== undefined) this.#compact(change.compaction);
    return result;
  }

  /** Whoever has lost the lease must stop before it writes; the store refuses what is already on its way. */
  assertLeased(): void {
    if (!this.lease.signal.aborted) return;
    throw new LeaseNotHeldError(
      this.agentId,
      'it was lost, or given back, while this agent object was in use',
      undefined,
      'Close this object, and go on with another one: Agent.resume(). What was committed is stored.',
    );
  }

  /** The calls that wait for a decision, as records. */
  async loadWaiting(): Promise<ToolCallRecord[]> {
    const records = await this.store.loadOpenCalls(this.agentId);
    return records.filter((record) => record.state === 'approval_required');
  }

  /** Decisions come from anywhere and don't need the lease: asks the store how the waiting calls stand. */
  async refreshApprovals(): Promise<void> {
    if (this.waitingCalls.length === 0) return;
    const records = await this.store.loadOpenCalls(this.agentId);
    for (const call of this.waitingCalls) {
      const record = records.find(({ callSeq }) => callSeq === call.callSeq);
      if (record) Object.assign(call, { state: record.state, approval: record.approval });
    }
  }

  /** What is remembered is what was stored: as JSON, so that a prompt now and one after a resume are the same. */
  #append(message: Message): void {
    const stored = asStored(message);
    this.context.push(stored);
    this.messageCount += 1;
    const uses = toolUses(stored);
    const opened = uses.map((block, i) => openCall(block, this.#callCount + i));
    this.#callCount += uses.length;
    this.calls = stored.role === 'assistant' ? opened.filter((_, i) => !uses[i]?.providerExecuted) : [];
  }

  #update({ callSeq, state, output, error }: ToolCallUpdate): void {
    const call = this.calls.find((one) => one.callSeq === callSeq);
    if (call === undefined) return;
    if (state !== undefined) call.state = state;
    if (output !== undefined) call.output = asStored(output);
    if (error !== undefined) call.error = error;
  }

  #note(given: AgentInfoInput | undefined, { version, messageCount }: CommitResult): void {
    const { status, metadata, failure } = given ?? {};
    const { failure: former, ...info } = this.info;
    const isOver = status === 'idle' || failure === null;
    const at = new Date(this.clock.now());
    const last = failure ? { ...failure, at: failure.at ?? at } : isOver ? undefined : former;
    this.#info = {
      ...info,
      ...(isOver && { attempts: 0 }),
      ...(last && { failure: last }),
      ...(status === undefined ? {} : { status }),
      ...(metadata === undefined ? {} : { metadata: asStored(metadata) }),
      version,
      messageCount,
      updatedAt: at,
    };
  }

  #compact({ seq, messages }: Compaction): void {
    const following = this.context.slice(this.summaryLength + seq - this.compactedSeq);
    this.context = [...messages, ...following];
    this.summaryLength = messages.length;
    this.compactedSeq = seq;
  }
}

export function asStored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Something was said to the agent, as against results of its calls. */
export function isInput({ role, content }: Message): boolean {
  return role === 'user' && content.some((block) => block.type !== 'tool_result');
}

/** What the text blocks say. */
export function textOf(content: readonly ContentBlock[] = []): string {
  return content.map((block) => (block.type === 'text' ? String(block.text) : '')).join('');
}

export function isOpen(call: StepCall): boolean {
  return !isTerminal(call.state);
}

function callsOf(message: Message | undefined, records: ToolCallRecord[]): StepCall[] {
  if (message?.role !== 'assistant') return [];
  // Blocks and records stand in the same order. Ids may repeat within a message; of several calls with one id
  // results answer the first ones, so the records of open calls belong to the last blocks.
  const rest = [...records];
  const calls = toolUses(message)
    .toReversed()
    .flatMap((block) => {
      const at = rest.findLastIndex((record) => record.toolCallId === block.id);
      const [record] = at === -1 ? [] : rest.splice(at, 1);
      return record && !block.providerExecuted ? [record] : [];
    });
  return calls.reverse();
}

function openCall(block: ToolUseBlock, callSeq: number): StepCall {
  return {
    callSeq,
    toolCallId: block.id,
    toolName: block.name,
    input: block.input,
    state: 'pending',
    approval: { required: false },
  };
}

function toolUses(message: Message): ToolUseBlock[] {
  return message.content.filter((block: ContentBlock): block is ToolUseBlock => block.type === 'tool_use');
}
