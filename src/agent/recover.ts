import type { ToolCallUpdate } from '../model/tool-call.ts';
import { isOpen, type Journal, type StepCall } from './journal.ts';
import type { ReadyTemplate } from './ready-template.ts';
import { asksTool, inOneMessage, resultsMessage } from './results.ts';

/**
 * Puts an agent in order whose process died in the middle of a step. Nobody knows whether a call that had
 * begun took effect: it is sealed with an error that says so, unless its tool may be called again. When no
 * call of the step is left open, its results are stored, so that the conversation is whole.
 */
export async function recover(journal: Journal, template: ReadyTemplate): Promise<void> {
  if (!journal.stepIsOpen) return;
  const begun = journal.calls.filter((call) => call.state === 'executing');
  const again = begun.filter((call) => template.tools.get(call.toolName)?.idempotent);
  const sealed = begun.filter((call) => !again.includes(call));
  if (begun.length > 0) {
    const numbers = (calls: typeof begun) => calls.map((call) => call.callSeq);
    await journal.commit({
      toolCalls: sealed.map(
        ({ toolCallId, callSeq, toolName }): ToolCallUpdate => ({
          toolCallId,
          callSeq,
          state: 'sealed',
          isError: true,
          error: `The process that ran ${toolName} ended before the call did. It isn't known whether the call took effect.`,
        }),
      ),
      events: [{ channel: 'monitor', type: 'recovered', sealed: numbers(sealed), again: numbers(again) }],
    });
  }
  // A denial is shown by the turn that goes on from it, which then stores the results; and only a turn can be
  // stopped when a tool takes its time.
  const isLeft = (call: StepCall) => isOpen(call) || call.state === 'denied' || asksTool(call, template);
  if (journal.calls.some(isLeft)) return;
  const messageSeq = journal.messageCount;
  const message = await resultsMessage(journal.calls, template, journal.lease.signal);
  await inOneMessage(message, (whole) =>
    journal.commit({
      messages: [whole],
      events: [
        { channel: 'progress', type: 'message', role: 'user', messageSeq },
        {
          channel: 'progress',
          type: 'finish-step',
          stepNumber: journal.stepNumber - 1,
          finishReason: 'tool-calls',
          usage: {},
        },
      ],
    }),
  );
}
