import { quoted, ValidationError } from '../errors.ts';
import type { EncodedUpdate, StoredApproval, StoredAudit } from './call-update.ts';
import type { EncodedMessage, OpenedCall } from './encode-message.ts';
import { largest } from './lists.ts';
import { durationOf, type Stopwatch } from './stopwatch.ts';
import { isTerminal, stateRank, type ToolCallState } from './tool-call.ts';

/** A tool call as it is stored: payloads as JSON text, instants in epoch milliseconds. */
export interface CallState {
  callSeq: number;
  toolCallId: string;
  toolName: string;
  state: ToolCallState;
  isError: boolean;
  approval: StoredApproval;
  messageSeq: number | null;
  /** The message that holds its tool_result, as far as this conversation goes. */
  resultSeq: number | null;
  /** A message may have asked for it after an earlier one asked for a later call: a fork in between sees none ask. */
  late: boolean;
  createdAt: number;
  updatedAt: number;
  startedAt: number | null;
  completedAt: number | null;
  durationMs: number | null;
  /** Null in a call that isn't loaded whole: what is stored stays. */
  input: string | null;
  output: string | null;
  error: string | null;
  audit: StoredAudit[];
  /** Shared with another agent: a change is written as this agent's own copy. */
  inherited: boolean;
}

/** What the planner knows of an agent's earlier calls. */
export interface KnownCalls {
  /** Known calls with this id, newest first. */
  withId(toolCallId: string): CallState[];
  withSeq(callSeq: number): CallState | undefined;
}

/** When a change happens, for how long things take. */
export interface Timing {
  stopwatch: Stopwatch;
  /** On the clock that nobody sets. */
  monotonic: number;
  /** Whether the change's stamp is later than the clock, because an earlier one was. */
  isRaised: boolean;
}

/** What must be looked up before a commit can be planned on `known`. */
export interface CallLookups {
  ids: Set<string>;
  seqs: Set<number>;
}

/**
 * Works out what a commit does to the agent's tool calls, without any I/O: which calls its tool_use
 * blocks open, which its tool_result blocks answer, and what its records change. One instance per commit.
 */
export class CallBook {
  readonly opened: CallState[] = [];
  readonly changed = new Map<number, CallState>();
  readonly #known: KnownCalls;
  readonly #at: number;
  readonly #timing: Timing | undefined;
  /** The ordinal of the first call that this commit opens. */
  readonly #firstSeq: number;
  /** The same calls as `opened`, by their ids. */
  readonly #openedById = new Map<string, CallState[]>();
  #nextSeq: number;
  #unlinked: number;
  #unanswered = 0;
  #pending = 0;

  /** `timing`: of a change that happens now; undefined for one that says when it happened. */
  constructor(
    known: KnownCalls,
    start: { callCount: number; unlinkedCalls: number; at: number; timing?: Timing | undefined },
  ) {
    this.#known = known;
    this.#timing = start.timing;
    this.#firstSeq = start.callCount;
    this.#nextSeq = start.callCount;
    this.#unlinked = start.unlinkedCalls;
    this.#at = start.at;
  }

  get callCount(): number {
    return this.#nextSeq;
  }

  /** Calls that no tool_use block is known for. */
  get unlinkedCalls(): number {
    return this.#unlinked;
  }

  /** By how much the number of calls that a message asked for and none has answered has changed. */
  get unansweredDelta(): number {
    return this.#unanswered;
  }

  /** By how much the number of calls that await a decision has changed. */
  get pendingDelta(): number {
    return this.#pending;
  }

  addMessage(message: EncodedMessage, messageSeq: number, at: number): void {
    for (const block of message.opens) this.#openFromBlock(block, messageSeq, at);
    for (const id of message.answers) this.#answer(id, messageSeq);
  }

  /** A record of the caller: changes the call that it addresses, or opens one. */
  apply(update: EncodedUpdate): void {
    const call = this.#address(update);
    if (!call) {
      this.#openFromRecord(update);
      return;
    }
    const fresh = this.#isFresh(call);
    const stored = fresh ? undefined : this.#known.withSeq(call.callSeq);
    if (stored && isTerminal(stored.state)) {
      assertUnchanged(call, update);
      return;
    }
    const before = call.state;
    const draft = fresh ? call : structuredClone(call);
    const { startedAt, durationMs } = draft;
    merge(draft, update, this.#at, fresh);
    this.#time(draft, update, { startedAt, durationMs });
    if (update.messageSeq !== undefined && draft.messageSeq === null) this.#link(draft, update.messageSeq);
    this.#countPending(before, draft.state);
    if (!fresh) this.#change(draft);
  }

  #openFromBlock(block: OpenedCall, messageSeq: number, at: number): void {
    const waiting = this.#unlinked > 0 ? this.#withId(block.id).filter((call) => isWaiting(call)) : [];
    const adopted = waiting.at(-1);
    if (adopted) {
      const draft = this.#isFresh(adopted) ? adopted : structuredClone(adopted);
      this.#link(draft, messageSeq);
      if (draft !== adopted) this.#change(draft);
      return;
    }
    this.#unanswered += 1;
    const call = emptyCall(block.id, block.name, at);
    call.messageSeq = messageSeq;
    call.input = block.input;
    this.#open(call);
  }

  #openFromRecord(update: EncodedUpdate): void {
    if (update.callSeq !== undefined) {
      throw new ValidationError(
        `${update.field}.callSeq`,
        `the agent has no tool call ${update.callSeq} with the id ${quoted(update.toolCallId)}; leave callSeq out to open one`,
      );
    }
    if (update.toolName === undefined) {
      throw new ValidationError(
        `${update.field}.toolName`,
        'is needed for a tool call that is not stored yet',
      );
    }
    const call = emptyCall(update.toolCallId, update.toolName, this.#at);
    call.input = '{}';
    call.audit = [];
    this.#unlinked += 1;
    merge(call, update, this.#at, true);
    this.#open(call);
    this.#time(call, update, { startedAt: null, durationMs: null });
    if (update.messageSeq !== undefined) this.#link(call, update.messageSeq);
    this.#countPending('pending', call.state);
  }

  #open(call: CallState): void {
    call.callSeq = this.#nextSeq++;
    this.opened.push(call);
    const withId = this.#openedById.get(call.toolCallId);
    if (withId) withId.push(call);
    else this.#openedById.set(call.toolCallId, [call]);
  }

  #isFresh(call: CallState): boolean {
    return call.callSeq >= this.#firstSeq;
  }

  /** The result belongs to the latest message that asked under this id, there to the first unanswered call. */
  #answer(toolCallId: string, messageSeq: number): void {
    const open = this.#withId(toolCallId).filter((call) => call.resultSeq === null);
    const asked = largest(open.map((call) => call.messageSeq ?? -1));
    const call = open.filter((candidate) => (candidate.messageSeq ?? -1) === asked).at(-1);
    if (!call) return;
    const draft = this.#isFresh(call) ? call : structuredClone(call);
    draft.resultSeq = messageSeq;
    if (draft.messageSeq !== null) this.#unanswered -= 1;
    if (draft !== call) this.#change(draft);
  }

  /** The open call with the record's id (of several in one message the first), else the newest with it. */
  #address(update: EncodedUpdate): CallState | undefined {
    if (update.callSeq !== undefined) {
      const call = this.#withSeq(update.callSeq);
      return call?.toolCallId === update.toolCallId ? call : undefined;
    }
    const calls = this.#withId(update.toolCallId);
    const open = calls.filter((call) => !isTerminal(call.state));
    const newest = open[0];
    if (!newest || newest.messageSeq === null) return newest ?? calls[0];
    return open.filter((call) => call.messageSeq === newest.messageSeq).at(-1);
  }

  #withSeq(callSeq: number): CallState | undefined {
    return this.opened[callSeq - this.#firstSeq] ?? this.changed.get(callSeq) ?? this.#known.withSeq(callSeq);
  }

  /** Newest first, with what this commit has changed so far. */
  #withId(toolCallId: string): CallState[] {
    const fresh = this.#openedById.get(toolCallId)?.toReversed() ?? [];
    const known = this.#known.withId(toolCallId).map((call) => this.changed.get(call.callSeq) ?? call);
    return [...fresh, ...known];
  }

  #change(call: CallState): void {
    this.changed.set(call.callSeq, call);
  }

  #link(call: CallState, messageSeq: number): void {
    call.messageSeq = messageSeq;
    call.late = this.#isLate(call.callSeq, messageSeq);
    this.#unlinked -= 1;
    if (call.resultSeq === null) this.#unanswered += 1;
  }

  /** Whether an earlier message asked for a later call, or may have: not all calls are known. */
  #isLate(callSeq: number, messageSeq: number): boolean {
    for (let later = callSeq + 1; later < this.#nextSeq; later += 1) {
      const call = this.#withSeq(later);
      if (!call || (call.messageSeq ?? messageSeq) < messageSeq) return true;
    }
    return false;
  }

  /** Where the stamps are the store's own, so is the duration between them. */
  #time(call: CallState, update: EncodedUpdate, before: Pick<CallState, 'startedAt' | 'durationMs'>): void {
    if (!this.#timing || update.startedAt !== undefined) return;
    const { stopwatch, monotonic, isRaised } = this.#timing;
    if (before.startedAt === null && call.startedAt !== null) stopwatch.begin(call, monotonic);
    const isOwn = update.durationMs === undefined && update.completedAt === undefined;
    if (!isOwn || before.durationMs !== null || call.durationMs === null) return;
    call.durationMs = durationOf(call.durationMs, stopwatch.elapsed(call, monotonic), isRaised);
  }

  #countPending(before: ToolCallState, after: ToolCallState): void {
    if (before !== 'approval_required' && after === 'approval_required') this.#pending += 1;
    if (before === 'approval_required' && after !== 'approval_required') this.#pending -= 1;
  }
}

/**
 * Which calls a commit needs that `known` doesn't settle. Known calls of an id are its newest ones, so the
 * newest open call is settled by them, and everything else needs a look at what is stored.
 */
export function neededLookups(
  messages: readonly EncodedMessage[],
  updates: readonly EncodedUpdate[],
  known: KnownCalls,
  unlinkedCalls: number,
): CallLookups {
  const lookups: CallLookups = { ids: new Set(), seqs: new Set() };
  const opening = new Set<string>();
  for (const message of messages) {
    for (const block of message.opens) {
      opening.add(block.id);
      if (unlinkedCalls > 0) lookups.ids.add(block.id);
    }
    for (const id of message.answers) {
      if (opening.has(id)) continue;
      if (!known.withId(id).some((call) => call.resultSeq === null && call.messageSeq !== null)) {
        lookups.ids.add(id);
      }
    }
  }
  for (const update of updates) {
    if (update.callSeq !== undefined) {
      const call = known.withSeq(update.callSeq);
      if (!call || isTerminal(call.state)) lookups.seqs.add(update.callSeq);
    } else if (!opening.has(update.toolCallId)) {
      const newest = known.withId(update.toolCallId)[0];
      if (!newest || isTerminal(newest.state)) lookups.ids.add(update.toolCallId);
    }
  }
  return lookups;
}

/** Opened by a record, and no message has asked for it yet. One that a fork cut off waits for none. */
function isWaiting({ messageSeq, state }: CallState): boolean {
  return messageSeq === null && state !== 'sealed';
}

function emptyCall(toolCallId: string, toolName: string, at: number): CallState {
  return {
    callSeq: -1,
    toolCallId,
    toolName,
    state: 'pending',
    isError: false,
    approval: { required: false },
    messageSeq: null,
    resultSeq: null,
    late: false,
    createdAt: at,
    updatedAt: at,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    input: null,
    output: null,
    error: null,
    audit: [{ state: 'pending', at }],
    inherited: false,
  };
}

/** What a record says goes over what is stored; a state never goes back. */
function merge(call: CallState, update: EncodedUpdate, at: number, opening: boolean): void {
  if (update.toolName !== undefined) call.toolName = update.toolName;
  if (update.input !== undefined) call.input = update.input;
  if (update.output !== undefined) call.output = update.output;
  if (update.error !== undefined) call.error = update.error;
  if (update.audit) call.audit = update.audit;
  if (opening && update.createdAt !== undefined) call.createdAt = update.createdAt;
  call.updatedAt = opening && update.updatedAt !== undefined ? update.updatedAt : at;

  const next = update.state ?? call.state;
  if (stateRank(next) > stateRank(call.state)) call.state = next;
  if (call.audit.at(-1)?.state !== call.state) call.audit = [...call.audit, { state: call.state, at }];

  call.isError = update.isError ?? (call.isError || call.state === 'failed' || call.state === 'sealed');
  call.approval = mergeApproval(call, update.approval);
  call.startedAt = update.startedAt ?? call.startedAt ?? (call.state === 'executing' ? at : null);
  const ended = call.state === 'completed' || call.state === 'failed';
  call.completedAt = update.completedAt ?? call.completedAt ?? (ended ? at : null);
  call.durationMs = update.durationMs ?? call.durationMs ?? elapsed(call);
}

function elapsed(call: CallState): number | null {
  if (call.startedAt === null || call.completedAt === null) return null;
  return Math.max(0, call.completedAt - call.startedAt);
}

/** A decision is final: a record that was loaded before it doesn't take it back. */
function mergeApproval(call: CallState, given: StoredApproval | undefined): StoredApproval {
  const required = call.approval.required || given?.required === true || call.state === 'approval_required';
  if (call.approval.decision !== undefined) return { ...call.approval, required };
  return { ...call.approval, ...given, required };
}

/** A terminal call never changes. Saving again what is stored, or something older, is no change. */
function assertUnchanged(call: CallState, update: EncodedUpdate): void {
  if (call.state === 'denied' && call.approval.decision === 'deny') return;
  if (update.state !== undefined && !isTerminal(update.state)) return;
  const differs =
    (update.state !== undefined && update.state !== call.state) ||
    (update.output !== undefined && update.output !== call.output) ||
    (update.error !== undefined && update.error !== call.error) ||
    (update.isError !== undefined && update.isError !== call.isError);
  if (!differs) return;
  throw new ValidationError(
    update.field,
    `tool call ${quoted(call.toolCallId)} (callSeq ${call.callSeq}) has ended as ${call.state} and can't change any more; a new call needs a tool_use block of its own`,
  );
}
