import type { ContentBlock, Message } from '../model/message.ts';
import { askModel, isPaid, type StepAnswer } from './ask-model.ts';
import { compactIfLarge } from './compaction.ts';
import { ApprovalRequiredError } from './errors.ts';
import { codeOf, isOfStore, messageOf, withCause } from './failure.ts';
import { isInput, type Journal, textOf } from './journal.ts';
import { leftOutNotices, noteTold } from './left-out.ts';
import { repeatedTurn } from './repeated-turn.ts';
import { runCalls } from './run-calls.ts';
import { type StepEnd, stepFinished } from './step-end.ts';
import type { TokenUsage, TurnStatus } from './stream-part.ts';
import { sealCalls, triage } from './triage.ts';
import { type Notice, record, type Turn } from './turn.ts';

/** What starts a turn: an input, or nothing, to go on with what is stored. */
export interface TurnInput {
  content: ContentBlock[];
  /** Names the input, so that it is stored once however often it is sent. */
  operationId: string | undefined;
}

/** What is kept of an error's message. */
const MAX_REASON = 2_000;

/** How a turn ended. */
export interface Ending {
  status: TurnStatus;
  text: string;
  finishReason: string;
}

/**
 * One turn: looks at what is stored and does what comes next, until there is an answer. Because the stored
 * state alone decides, a new turn, one that goes on after a decision and one that goes on after a crash are
 * the same loop.
 */
export async function runTurn(turn: Turn, input: TurnInput | undefined): Promise<Ending> {
  const { journal } = turn;
  try {
    const answered = input && (await acceptInput(turn, input));
    if (answered !== undefined) return showAgain(turn, answered);
    // Who goes on by hand begins anew; a worker's attempts stay counted.
    const info = { status: 'running' as const, ...(journal.isWorkers ? {} : { failure: null }) };
    if (journal.status !== 'running') await record(turn, { info }, [started(turn)]);
    return await takeSteps(turn);
  } catch (error) {
    // What is at rest, because its turn didn't begin or waits for somebody, stays so.
    if (journal.status === 'running') await noteFailure(turn, error);
    throw error;
  }
}

async function takeSteps(turn: Turn): Promise<Ending> {
  const { journal, template, signal } = turn;
  let last: StepEnd = { finishReason: 'unknown', tokens: {} };
  for (;;) {
    if (journal.stepIsOpen) {
      await runCalls(turn, last);
      const waits = journal.waitingCalls.length > 0;
      if (waits && !signal.aborted) return end(turn, 'awaiting_approval', last.finishReason);
    }
    if (signal.aborted) return end(turn, 'interrupted', 'abort');
    if (hasAnswer(journal) || journal.messageCount === 0) return end(turn, 'completed', last.finishReason);
    if (turn.steps >= template.maxSteps) return end(turn, 'max_steps', last.finishReason);
    try {
      await compactIfLarge(turn);
    } catch (error) {
      // Stopped, it ends as any other step does.
      if (!signal.aborted) throw error;
      continue;
    }
    const answer = await askModel(turn);
    if (answer === undefined) continue;
    addUsage(turn.usage, answer.tokens);
    last = answer;
    if (answer.cut !== undefined) {
      await commitPartial(turn, answer).catch((error: unknown) => {
        throw signal.aborted ? error : withCause(error, answer.cut);
      });
      if (!signal.aborted) throw answer.cut;
    } else if (await commitAnswer(turn, answer)) {
      return { status: 'completed', text: answerOf(journal), finishReason: answer.finishReason };
    }
  }
}

/**
 * Stores the input before the model is called; calls that were decided or cut off meanwhile run first.
 * Returns the answer when this input had been sent, and answered, before.
 */
async function acceptInput(turn: Turn, { content, operationId }: TurnInput): Promise<string | undefined> {
  const { journal } = turn;
  if (journal.stepIsOpen) {
    await runCalls(turn, { finishReason: 'tool-calls', tokens: {} });
    if (journal.waitingCalls.length > 0) {
      // After a crash it is still said to run.
      if (journal.status === 'running') await record(turn, { info: { status: 'awaiting_approval' } }, []);
      throw new ApprovalRequiredError(journal.agentId, await journal.loadWaiting());
    }
  }
  const change = { messages: [{ role: 'user' as const, content }], info: { status: 'running' as const } };
  if (operationId === undefined) {
    await record(turn, change, [started(turn)]);
    return undefined;
  }
  // A repetition must be the same commit, wherever the conversation is now: no event that says where it was.
  const { messageCount, cursor } = await journal.commit({
    ...change,
    events: [{ channel: 'progress', type: 'start', turnId: operationId }],
    operationId,
  });
  if (journal.outdated) return repeatedTurn(journal, messageCount);
  turn.emit({ type: 'start', turnId: operationId, cursor });
  return undefined;
}

/** What was answered before is answered again, without a word to the model. */
function showAgain(turn: Turn, text: string): Ending {
  const ending = { status: 'completed', finishReason: 'stop' } as const;
  turn.emit({ type: 'start', turnId: turn.id });
  turn.emit({ type: 'text-start', id: '0' });
  turn.emit({ type: 'text-delta', id: '0', text });
  turn.emit({ type: 'text-end', id: '0' });
  turn.emit({ type: 'finish', ...ending, totalUsage: {} });
  return { ...ending, text };
}

/** Stores the model's answer with what becomes of its calls. True when it asks us for nothing: the turn is over. */
async function commitAnswer(turn: Turn, answer: StepAnswer): Promise<boolean> {
  const { journal } = turn;
  const { blocks, usage, contextTokens, finishReason } = answer;
  const calls = await triage(turn, answer);
  const done = !calls.ours;
  // Only who compacts asks how large the conversation is, and must know it after a resume, too.
  const sized = contextTokens !== undefined && Number.isFinite(turn.template.compactAt);
  const ending = done
    ? [stepFinished(journal.stepNumber, answer), finished(turn, 'completed', finishReason)]
    : [];
  await record(
    turn,
    {
      messages: [{ role: 'assistant', content: blocks, ...(sized && { metadata: { contextTokens } }) }],
      toolCalls: calls.updates,
      usage: [usage],
      ...(done && { info: { status: 'idle' } }),
    },
    [...repaired(turn, answer), ...calls.notices, ...ending],
    leftOutNotices(answer.leftOut),
  );
  noteTold(journal, answer.leftOut);
  return done;
}

/**
 * Keeps what had arrived of an answer that was cut off, and what was paid for it. Its calls didn't begin, and get
 * results that say so.
 */
async function commitPartial(turn: Turn, answer: StepAnswer): Promise<void> {
  const { blocks, usage } = answer;
  if (blocks.length === 0) {
    if (isPaid(answer)) await record(turn, { usage: [usage] }, []);
    return;
  }
  const sealed = sealCalls(blocks, turn.journal.nextCallSeq);
  const messages: Message[] = [{ role: 'assistant', content: blocks, metadata: { partial: true } }];
  if (sealed.results.length > 0) messages.push({ role: 'user', content: sealed.results });
  const change = { messages, toolCalls: sealed.updates, usage: [usage] };
  await record(turn, change, repaired(turn, answer), leftOutNotices(answer.leftOut));
  noteTold(turn.journal, answer.leftOut);
}

/** Stored with the turn's end. Whatever the end, nothing is lost: `run()` goes on from there. */
async function end(turn: Turn, status: TurnStatus, finishReason: string): Promise<Ending> {
  const stored =
    status === 'completed'
      ? 'idle'
      : turn.journal.waitingCalls.length > 0
        ? 'awaiting_approval'
        : 'interrupted';
  const aborted: Notice[] =
    status === 'interrupted'
      ? [{ event: { channel: 'progress', type: 'abort', turnId: turn.id }, part: { type: 'abort' } }]
      : [];
  await record(turn, { info: { status: stored } }, [...aborted, finished(turn, status, finishReason)]);
  return { status, text: answerOf(turn.journal), finishReason };
}

/**
 * Records why the turn ended, so that it isn't taken for one that died. When its own store or lease failed,
 * nobody can say so there; whatever happens here, the caller is told of the failure itself.
 */
async function noteFailure(turn: Turn, error: unknown): Promise<void> {
  const { lease, refusal } = turn.journal;
  if (lease.signal.aborted || (error === refusal && isOfStore(error))) return;
  const event = { channel: 'progress' as const, type: 'error', turnId: turn.id, message: messageOf(error) };
  const notice: Notice = { event, part: { type: 'error', error } };
  const failure = { code: codeOf(error), message: messageOf(error).slice(0, MAX_REASON) };
  await record(turn, { info: { status: 'interrupted', failure } }, [notice]).catch(() => undefined);
}

/** The conversation ends with a whole answer that asks for nothing. */
function hasAnswer({ lastMessage, stepIsOpen }: Journal): boolean {
  return lastMessage?.role === 'assistant' && lastMessage.metadata?.partial !== true && !stepIsOpen;
}

/** The text of the last answer to the last input. */
function answerOf({ context }: Journal): string {
  const last = context.findLast((message) => message.role === 'assistant' || isInput(message));
  return last?.role === 'assistant' ? textOf(last.content) : '';
}

function started({ id }: Turn): Notice {
  return { event: { channel: 'progress', type: 'start', turnId: id }, part: { type: 'start', turnId: id } };
}

/** Says on the timeline what of an answer isn't stored as its provider sent it. */
function repaired({ journal }: Turn, { repairs }: StepAnswer): Notice[] {
  if (repairs.length === 0) return [];
  return [{ event: { channel: 'monitor', type: 'repaired', messageSeq: journal.messageCount, repairs } }];
}

function finished(turn: Turn, status: TurnStatus, finishReason: string): Notice {
  const part = { type: 'finish' as const, status, finishReason, totalUsage: { ...turn.usage } };
  return { event: { channel: 'progress', ...part, turnId: turn.id }, part };
}

function addUsage(total: TokenUsage, step: TokenUsage): void {
  for (const key of ['inputTokens', 'outputTokens', 'cachedTokens', 'reasoningTokens'] as const) {
    if (step[key] !== undefined) total[key] = (total[key] ?? 0) + step[key];
  }
}
