import type {
  ContentBlock,
  ReasoningBlock,
  TextBlock,
  ToolResultBlock,
  ToolUseBlock,
} from '../../model/message.ts';
import { filePart, isMediaBlock, userMediaPart } from './media.ts';
import type { AssistantPart, ToolCallPart, ToolResultPart, UserPart } from './model-message.ts';
import {
  isBlank,
  isForMaker,
  isKeptBlank,
  type PromptOptions,
  shownInput,
  shownName,
} from './sendable-part.ts';
import { outputOf } from './tool-output.ts';
import { optionsOf } from './values.ts';

export function isToolUse(block: ContentBlock): block is ToolUseBlock {
  return block.type === 'tool_use' && typeof block.id === 'string' && typeof block.name === 'string';
}

export function isToolResult(block: ContentBlock): block is ToolResultBlock {
  return block.type === 'tool_result' && typeof block.tool_use_id === 'string';
}

export function isText(block: ContentBlock): block is TextBlock {
  return block.type === 'text' && typeof block.text === 'string';
}

export function isReasoning(block: ContentBlock): block is ReasoningBlock {
  return block.type === 'reasoning' && typeof block.reasoning === 'string';
}

export function callPart(block: ToolUseBlock, options: PromptOptions): ToolCallPart {
  const { id: toolCallId, name, input, providerExecuted } = block;
  const executed = providerExecuted === undefined ? {} : { providerExecuted };
  const call = { toolCallId, toolName: shownName(name, options), input: shownInput(input) };
  return { type: 'tool-call', ...call, ...executed, ...optionsOf(block) };
}

export function resultPart(block: ToolResultBlock, name: string, options: PromptOptions): ToolResultPart {
  const { tool_use_id: toolCallId } = block;
  const call = { toolCallId, toolName: shownName(name, options) };
  return { type: 'tool-result', ...call, output: outputOf(block), ...optionsOf(block) };
}

/** The part for what a user said: a user thinks and calls nothing. Undefined for what providers refuse. */
export function userPart(block: ContentBlock, options: PromptOptions): UserPart | undefined {
  if (isText(block)) return isBlank(block.text) ? undefined : textPart(block);
  if (isReasoning(block) || isToolUse(block)) return undefined;
  if (isMediaBlock(block)) return userMediaPart(block);
  return isForeign(block, options) ? undefined : (block as unknown as UserPart);
}

/** The part for a block of an answer that is neither a call nor a result. Undefined for what providers refuse. */
export function answerPart(block: ContentBlock, options: PromptOptions): AssistantPart | undefined {
  if (isText(block)) {
    return isBlank(block.text) && !isKeptBlank(block, options) ? undefined : textPart(block);
  }
  if (isReasoning(block)) {
    if (isBlank(block.reasoning) && block.providerOptions === undefined) return undefined;
    return { type: 'reasoning', text: block.reasoning, ...optionsOf(block) };
  }
  if (isMediaBlock(block)) return filePart(block);
  return isForeign(block, options) ? undefined : (block as unknown as AssistantPart);
}

/** Parts of the SDK's that have no block of their own. */
const OF_SDK = ['image', 'file', 'tool-approval-request', 'tool-approval-response'];

function isForeign(block: ContentBlock, options: PromptOptions): boolean {
  return !OF_SDK.includes(block.type) && !isForMaker(block, options);
}

function textPart(block: TextBlock): { type: 'text'; text: string } {
  return { type: 'text', text: block.text, ...optionsOf(block) };
}
