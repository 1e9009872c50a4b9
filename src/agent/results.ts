import { ValidationError } from '../errors.ts';
import type { Message, ToolResultBlock } from '../model/message.ts';
import { messageOf } from './failure.ts';
import type { StepCall } from './journal.ts';
import type { KnownTool } from './known-tools.ts';
import { orAborted } from './or-aborted.ts';
import type { ReadyTemplate } from './ready-template.ts';
import { loadSdk } from './sdk.ts';
import { checkedOutput } from './sendable.ts';
import type { ToolResultOutput } from './translate/model-message.ts';
import { contentOf } from './translate/tool-output.ts';

/**
 * The results of a step: one block for each of its calls, in their order. It depends on nothing but the
 * calls as they are stored and on their tools, so that a step that a crash cut off before its results were
 * committed gets the same ones. Rejects with the signal's reason when that is aborted before a tool has said
 * what the model is to see.
 */
export async function resultsMessage(
  calls: readonly StepCall[],
  { tools }: ReadyTemplate,
  signal: AbortSignal,
): Promise<Message> {
  const content = await Promise.all(
    calls.map(async (call) => ({
      type: 'tool_result',
      tool_use_id: call.toolCallId,
      ...contentOf(await outputOf(call, tools.get(call.toolName), signal)),
    })),
  );
  return { role: 'user', content };
}

/** Whether a tool has words of its own for the model: nobody knows how long it takes for them. */
export function asksTool({ state, toolName }: StepCall, { tools }: ReadyTemplate): boolean {
  return state === 'completed' && tools.get(toolName)?.toModelOutput !== undefined;
}

/** What one message can't hold is shown to the model as too large; the calls keep it. */
const LARGE = 1_000_000;

/** Commits the results, without the large ones where a message can't hold them all. */
export async function inOneMessage<T>(
  message: Message,
  commit: (message: Message) => Promise<T>,
): Promise<T> {
  try {
    return await commit(message);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const content = message.content.map((block) => {
      const size = JSON.stringify(block).length;
      if (size <= LARGE) return block;
      const words = failure(
        `The call succeeded, but its output is too large to be shown: ${size} characters.`,
      );
      const { type, tool_use_id } = block as ToolResultBlock;
      return { type, tool_use_id, ...contentOf(words) };
    });
    return commit({ ...message, content });
  }
}

/** What the model sees of an ended call. */
async function outputOf(
  call: StepCall,
  tool: KnownTool | undefined,
  signal: AbortSignal,
): Promise<ToolResultOutput> {
  if (call.state === 'denied') {
    const { note } = call.approval;
    return failure(note ? `This call was denied: ${note}` : 'This call was denied.');
  }
  if (call.state !== 'completed') return failure(call.error ?? 'The call failed.');
  const { toolCallId, input, output } = call;
  if (tool?.toModelOutput === undefined) {
    if (typeof output === 'string') return { type: 'text', value: output };
    return { type: 'json', value: (output ?? null) as never };
  }
  try {
    const words = Promise.resolve(tool.toModelOutput({ toolCallId, input, output }));
    return checkedOutput(await loadSdk(), await orAborted(signal, words));
  } catch (error) {
    // It is asked again when the turn goes on.
    if (signal.aborted) throw error;
    return failure(`The call succeeded, but its output can't be shown: ${messageOf(error)}`);
  }
}

function failure(value: string): ToolResultOutput {
  return { type: 'error-text', value };
}
