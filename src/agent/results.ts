import { checkJson } from '../model/json.ts';
import type { Message } from '../model/message.ts';
import { messageOf } from './failure.ts';
import type { StepCall } from './journal.ts';
import type { ReadyTemplate } from './template.ts';
import type { KnownTool } from './tool.ts';
import type { ToolResultOutput } from './translate/model-message.ts';
import { contentOf } from './translate/tool-output.ts';

/**
 * The results of a step: one block for each of its calls, in their order. It depends on nothing but the
 * calls as they are stored and on their tools, so that a step that a crash cut off before its results were
 * committed gets the same ones.
 */
export async function resultsMessage(calls: readonly StepCall[], { tools }: ReadyTemplate): Promise<Message> {
  const content = await Promise.all(
    calls.map(async (call) => ({
      type: 'tool_result',
      tool_use_id: call.toolCallId,
      ...contentOf(await outputOf(call, tools.get(call.toolName))),
    })),
  );
  return { role: 'user', content };
}

/** What the model sees of an ended call. */
async function outputOf(call: StepCall, tool: KnownTool | undefined): Promise<ToolResultOutput> {
  if (call.state === 'denied') {
    const { note } = call.approval;
    return failure(note ? `This call was denied: ${note}` : 'This call was denied.');
  }
  if (call.state !== 'completed') return failure(call.error ?? 'The call failed.');
  try {
    const output = await completedOutput(call, tool);
    checkJson(output, 'output');
    return output;
  } catch (error) {
    return failure(`The call succeeded, but its output can't be shown: ${messageOf(error)}`);
  }
}

async function completedOutput(call: StepCall, tool: KnownTool | undefined): Promise<ToolResultOutput> {
  const { toolCallId, input, output } = call;
  if (tool?.toModelOutput) {
    return (await tool.toModelOutput({ toolCallId, input, output })) as ToolResultOutput;
  }
  if (typeof output === 'string') return { type: 'text', value: output };
  return { type: 'json', value: (output ?? null) as never };
}

function failure(value: string): ToolResultOutput {
  return { type: 'error-text', value };
}
