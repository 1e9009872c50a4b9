import { ValidationError } from '../errors.ts';
import type { ToolCallUpdate } from '../model/tool-call.ts';
import type { StepAnswer } from './ask-model.ts';
import { isOpen, type StepCall } from './journal.ts';
import { inOneMessage, resultsMessage } from './results.ts';
import { noticesOf, updateOf } from './triage.ts';
import { type Notice, record, type Turn } from './turn.ts';

/** How the answer ended that asked for a step's calls. */
export type StepEnd = Pick<StepAnswer, 'finishReason' | 'tokens'>;

/** How a call ended. `durationMs`: where the store can't know how long it ran. */
export type Outcome = ({ state: 'completed'; output: unknown } | { state: 'failed'; error: string }) & {
  durationMs?: number;
};

/**
 * Stores how a call ended. That of a step's last call is one commit with the message of all results. An output that
 * the store doesn't take fails its call: whoever goes on would otherwise run into it again and again.
 */
export async function commitOutcome(
  turn: Turn,
  step: StepEnd,
  call: StepCall,
  outcome: Outcome,
): Promise<void> {
  try {
    await commitEnd(turn, step, call, outcome);
  } catch (error) {
    if (!(error instanceof ValidationError && isOpen(call) && outcome.state === 'completed')) throw error;
    const reason = `The call ran, but its output can't be stored: ${error.message}`;
    const { output: _refused, ...rest } = outcome;
    await commitEnd(turn, step, call, { ...rest, state: 'failed', error: reason });
  }
}

async function commitEnd(turn: Turn, step: StepEnd, call: StepCall, outcome: Outcome): Promise<void> {
  const toolCalls = [updateOf(call, outcome)];
  const noted = outcomeNotices(call, outcome);
  if (!closesStep(turn, call)) {
    await record(turn, { toolCalls }, noted);
    return;
  }
  const ended = { ...call, ...outcome };
  const calls = turn.journal.calls.map((one) => (one === call ? ended : one));
  try {
    await commitResults(turn, step, calls, { toolCalls, noted });
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    // Together they may be more than one commit takes.
    await record(turn, { toolCalls }, noted);
    await commitResults(turn, step);
  }
}

/**
 * The results of a step's calls form one message, in the order of the calls. When the turn is stopped before a
 * tool has said what the model is to see, the step stays open: its calls have ended, and whoever goes on asks again.
 */
export async function commitResults(
  turn: Turn,
  step: StepEnd,
  calls: readonly StepCall[] = turn.journal.calls,
  { toolCalls, noted }: { toolCalls?: ToolCallUpdate[]; noted?: Notice[] } = {},
): Promise<void> {
  const message = await resultsMessage(calls, turn.template, turn.signal).catch((error: unknown) => {
    if (turn.signal.aborted) return undefined;
    throw error;
  });
  if (message === undefined) return;
  const denied = calls
    .filter(({ state }) => state === 'denied')
    .map((call): Notice => ({ part: { type: 'tool-output-denied', ...nameOf(call) } }));
  const finished = stepFinished(turn.journal.stepNumber - 1, step);
  const after = [...denied, finished];
  if (toolCalls) await record(turn, { messages: [message], toolCalls }, after, noted);
  else await inOneMessage(message, (whole) => record(turn, { messages: [whole] }, after, noted));
}

/**
 * Whether no other call of the step is open, as far as it is known to be stored. A tool with words of its own
 * for the model may take its time for them, and the outcome must be safe before that.
 */
function closesStep({ journal, template }: Turn, call: StepCall): boolean {
  return journal.calls.every(
    (one) => (one === call || !isOpen(one)) && template.tools.get(one.toolName)?.toModelOutput === undefined,
  );
}

export function stepFinished(stepNumber: number, { finishReason, tokens }: StepEnd): Notice {
  const step = { type: 'finish-step' as const, stepNumber, finishReason, usage: tokens };
  return { event: { channel: 'progress', ...step }, part: step };
}

function outcomeNotices(call: StepCall, outcome: Outcome): Notice[] {
  if (outcome.state === 'failed') return noticesOf(nameOf(call), outcome);
  const { input: _shownByTheMessage, ...name } = nameOf(call);
  return [
    {
      event: { channel: 'progress', type: 'tool-result', ...name },
      part: { type: 'tool-result', ...nameOf(call), output: outcome.output },
    },
  ];
}

export function nameOf({ callSeq, toolCallId, toolName, input }: StepCall) {
  return { callSeq, toolCallId, toolName, input };
}
