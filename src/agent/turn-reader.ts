import type { Delta, NewEvent, StoredEvent } from '../model/agent.ts';
import type { Message } from '../model/message.ts';
import { isTerminal, type ToolCallRecord } from '../model/tool-call.ts';
import type { ExtendedStore } from '../store/store.ts';
import type { DeltaPart } from './delta-writer.ts';
import { ShownAnswer } from './shown-answer.ts';
import type { AgentStreamPart, TokenUsage, TurnStatus } from './stream-part.ts';
import { isToolResult } from './translate/model-part.ts';

const DENIED_PAGE = 20;

/** Makes a turn's parts of its events and deltas, in their order. */
export class TurnReader {
  cursor: number;
  ended = false;
  readonly #store: ExtendedStore;
  readonly #agentId: string;
  #shown: ShownAnswer | undefined;
  #inStep = false;
  #failures = 0;
  #newestMessage = -1;

  constructor(store: ExtendedStore, agentId: string, since: number) {
    this.#store = store;
    this.#agentId = agentId;
    this.cursor = since;
  }

  shows({ turnId, messageSeq }: AnswerDelta): boolean {
    return this.#shown?.turnId === turnId && this.#shown.messageSeq === messageSeq;
  }

  /** The last part for an event has its cursor: whoever saw it has seen them all. */
  async *see({ cursor, event }: StoredEvent): AsyncGenerator<AgentStreamPart, undefined> {
    if (cursor <= this.cursor || this.ended) return;
    const parts = await this.#partsOf(event);
    this.cursor = cursor;
    const last = parts.pop();
    yield* parts;
    if (last !== undefined) yield { ...last, cursor };
  }

  *overhear(delta: AnswerDelta): Generator<AgentStreamPart, undefined> {
    const { turnId, messageSeq, stepNumber, parts } = delta;
    // It was stored meanwhile.
    if (messageSeq <= this.#newestMessage) return;
    if (!this.shows(delta)) {
      yield* this.#leaveStep();
      this.#shown = new ShownAnswer(turnId, messageSeq);
    }
    yield* this.#enterStep(stepNumber);
    yield* this.#shown?.grow(parts) ?? [];
  }

  async #partsOf(event: NewEvent): Promise<AgentStreamPart[]> {
    if (isTurnEvent(event, 'start')) return [...this.#leaveStep(), { type: 'start', turnId: event.turnId }];
    if (isTurnEvent(event, 'finish')) return this.#end(finishPart(event));
    if (isTurnEvent(event, 'abort')) return [...this.#leaveStep(), { type: 'abort' }];
    if (isTurnEvent(event, 'error')) {
      return this.#end({ type: 'error', error: new Error(String(event.message)) });
    }
    if (event.type === 'finish-step' && typeof event.stepNumber === 'number') {
      const { type, stepNumber, finishReason, usage } = event as unknown as FinishStep;
      return [...this.#leaveStep(), { type, stepNumber, finishReason, usage }];
    }
    if (event.type === 'message' && typeof event.messageSeq === 'number') return this.#message(event);
    if (event.type === 'recovered' && Array.isArray(event.sealed)) return this.#sealed(event.sealed);
    return typeof event.callSeq === 'number' ? this.#call(event.type, event.callSeq, event) : [];
  }

  async #message({ role, messageSeq, stepNumber }: NewEvent): Promise<AgentStreamPart[]> {
    const seq = Number(messageSeq);
    this.#newestMessage = seq;
    const message = await this.#load(seq);
    if (message === undefined) return [];
    if (role !== 'assistant') return this.#results(message, seq);
    const shown = this.#shown?.messageSeq === seq ? this.#shown : new ShownAnswer('', seq);
    this.#shown = undefined;
    this.#failures = 0;
    return [...this.#enterStep(Number(stepNumber ?? 0)), ...shown.complete(message.content)];
  }

  /** A denied call has no event: it is told with the results of its step. */
  async #results({ content }: Message, seq: number): Promise<AgentStreamPart[]> {
    const failed = content.filter((block) => isToolResult(block) && block.is_error === true).length;
    if (content.every(isToolResult)) this.#inStep = false;
    if (failed <= this.#failures) return [];
    const records = await this.#deniedOf(seq - 1);
    return records.map((record) => ({ type: 'tool-output-denied', ...nameOf(record) }));
  }

  /** Of a turn that is followed, they are among the newest ones. */
  async #deniedOf(messageSeq: number): Promise<ToolCallRecord[]> {
    const found: ToolCallRecord[] = [];
    for (let offset = 0; ; offset += DENIED_PAGE) {
      const page = await this.#store.queryToolCalls({
        agentId: this.#agentId,
        state: 'denied',
        order: 'desc',
        offset,
        limit: DENIED_PAGE,
      });
      found.push(...page.filter((record) => record.messageSeq === messageSeq));
      const last = page.at(-1);
      if (page.length < DENIED_PAGE || (last?.messageSeq ?? messageSeq) < messageSeq) break;
    }
    if (found.length > 0) return found.reverse();
    // A replica that answers queries may be behind.
    const records = await this.#store.loadToolCallRecords(this.#agentId);
    return records.filter((record) => record.state === 'denied' && record.messageSeq === messageSeq);
  }

  /** Calls that a crash cut off have failed, without an event for each. */
  async #sealed(calls: unknown[]): Promise<AgentStreamPart[]> {
    const parts = await Promise.all(calls.map((callSeq) => this.#call('tool-error', Number(callSeq), {})));
    return parts.flat();
  }

  async #call(
    type: string,
    callSeq: number,
    { providerExecuted }: Partial<NewEvent>,
  ): Promise<AgentStreamPart[]> {
    if (!/^tool-(call|result|error|approval-request)$/.test(type)) return [];
    const ended = type === 'tool-result' || type === 'tool-error';
    const record = await this.#loadCall(callSeq, ended);
    if (record === undefined) return [];
    const call = { ...nameOf(record), ...(providerExecuted === true && { providerExecuted }) };
    switch (type) {
      case 'tool-call':
        return [{ type, ...call }];
      case 'tool-result':
        return [{ type, ...call, output: record.output }];
      case 'tool-error':
        this.#failures += 1;
        return [{ type, ...call, error: record.error ?? '' }];
      default:
        return [{ type: 'tool-approval-request', approvalId: String(callSeq), toolCall: call }];
    }
  }

  #enterStep(stepNumber: number): AgentStreamPart[] {
    if (this.#inStep) return [];
    this.#inStep = true;
    return [{ type: 'start-step', stepNumber }];
  }

  /** What was shown of an answer and never stored is ended. */
  #leaveStep(): AgentStreamPart[] {
    const ends = this.#shown?.end() ?? [];
    this.#shown = undefined;
    this.#inStep = false;
    return ends;
  }

  #end(part: AgentStreamPart): AgentStreamPart[] {
    this.ended = true;
    return [...this.#leaveStep(), part];
  }

  /** Queries may be answered by a replica that is behind: what it doesn't have is loaded. */
  async #load(seq: number): Promise<Message | undefined> {
    const page = { agentId: this.#agentId, order: 'asc', offset: seq, limit: 1 } as const;
    const [found] = await this.#store.queryMessages(page);
    return found ?? (await this.#store.loadMessages(this.#agentId))[seq];
  }

  async #loadCall(callSeq: number, ended: boolean): Promise<ToolCallRecord | undefined> {
    const page = { agentId: this.#agentId, order: 'asc', offset: callSeq, limit: 1 } as const;
    const [found] = await this.#store.queryToolCalls(page);
    if (found !== undefined && (!ended || isTerminal(found.state))) return found;
    return (await this.#store.loadToolCallRecords(this.#agentId))[callSeq];
  }
}

/** What the turn that is under way writes; an application may write other deltas. */
export interface AnswerDelta {
  turnId: string;
  messageSeq: number;
  stepNumber: number;
  parts: DeltaPart[];
}

type FinishStep = Extract<AgentStreamPart, { type: 'finish-step' }>;

export function isAnswerDelta(delta: Delta | AnswerDelta): delta is AnswerDelta {
  return (
    typeof delta.turnId === 'string' && typeof delta.messageSeq === 'number' && Array.isArray(delta.parts)
  );
}

/** Whether an event is a turn's: an application's own may have the same type. */
export function isTurnEvent(event: NewEvent, type: string): event is NewEvent & { turnId: string } {
  return event.type === type && event.channel === 'progress' && typeof event.turnId === 'string';
}

function finishPart(event: NewEvent): AgentStreamPart {
  const { status, finishReason = 'unknown', totalUsage = {} } = event;
  return {
    type: 'finish',
    status: status as TurnStatus,
    finishReason: String(finishReason),
    totalUsage: totalUsage as TokenUsage,
  };
}

function nameOf({ toolCallId, toolName, input, callSeq }: ToolCallRecord) {
  return { toolCallId, toolName, input, callSeq };
}
