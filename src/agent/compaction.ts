import type { Message } from '../model/message.ts';
import { askAside, isPaid, type StepAnswer } from './ask-model.ts';
import { ModelError } from './errors.ts';
import { withCause } from './failure.ts';
import { isInput, type Journal, textOf } from './journal.ts';
import { record, type Turn } from './turn.ts';

/** What a compaction did. */
export interface CompactionResult {
  /** The model no longer sees the messages before this one; `loadMessages` still gives them. */
  seq: number;
  /** What the model wrote in their place. */
  summary: string;
}

const INSTRUCTION =
  'Summarise this conversation for whoever continues it and can no longer read it: what was asked for, what was decided and why, what the tools found or changed, names and numbers that matter, and what is still to be done. Call no tools; answer with the summary alone.';
const HEADING = 'Summary of the conversation so far:';

/** Before a model call whose prompt has grown beyond the template's limit. */
export async function compactIfLarge(turn: Turn): Promise<void> {
  const { journal, template } = turn;
  const answer = journal.context.findLast((message) => message.role === 'assistant');
  const tokens = answer?.metadata?.contextTokens;
  if (typeof tokens === 'number' && tokens >= template.compactAt) await compact(turn);
}

/**
 * Puts a summary in the place of everything that the model sees so far, except an input that has no answer
 * yet. Undefined when there is nothing to summarise.
 */
export async function compact(turn: Turn): Promise<CompactionResult | undefined> {
  const { journal } = turn;
  const kept = unanswered(journal);
  const summarised = journal.context.slice(0, journal.context.length - kept);
  if (summarised.length <= journal.summaryLength) return undefined;
  const instruction: Message = { role: 'user', content: [{ type: 'text', text: INSTRUCTION }] };
  const answer = await askAside(turn, [...summarised, instruction]);
  const summary = answer.cut === undefined ? textOf(answer.blocks) : '';
  if (summary === '') {
    const failure =
      answer.cut ?? new ModelError('The model gave no summary to compact the conversation with. Try again.');
    await recordPayment(turn, answer).catch((error: unknown) => {
      throw withCause(error, failure);
    });
    throw failure;
  }
  const seq = journal.messageCount - kept;
  const text = `${HEADING}\n\n${summary}`;
  await record(
    turn,
    {
      compaction: { seq, messages: [{ role: 'user', content: [{ type: 'text', text }] }] },
      usage: [answer.usage],
    },
    [{ event: { channel: 'monitor', type: 'compaction', seq } }],
  );
  return { seq, summary };
}

/** What a summary cost that there isn't: it is paid for all the same. */
async function recordPayment(turn: Turn, answer: StepAnswer): Promise<void> {
  if (isPaid(answer)) await record(turn, { usage: [answer.usage] }, []);
}

/** How many messages at the end are inputs that the model hasn't seen. */
function unanswered({ context }: Journal): number {
  let count = 0;
  for (const message of context.toReversed()) {
    if (!isInput(message)) break;
    count += 1;
  }
  return count;
}
