import type {
  ContentBlock,
  ReasoningBlock,
  TextBlock,
  ToolResultBlock,
  ToolUseBlock,
} from '../../model/message.ts';
import { filePart, isMediaBlock, userMediaPart } from './media.ts';
import type { AssistantPart, ToolCallPart, ToolResultPart, UserPart } from './model-message.ts';
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

export function callPart(block: ToolUseBlock): ToolCallPart {
  const { id: toolCallId, name: toolName, input = {}, providerExecuted } = block;
  const executed = providerExecuted === undefined ? {} : { providerExecuted };
  return { type: 'tool-call', toolCallId, toolName, input, ...executed, ...optionsOf(block) };
}

export function resultPart(block: ToolResultBlock, toolName: string): ToolResultPart {
  const { tool_use_id: toolCallId } = block;
  return { type: 'tool-result', toolCallId, toolName, output: outputOf(block), ...optionsOf(block) };
}

/** What a user said, in parts: providers refuse empty text, and a user thinks and calls nothing. */
export function userParts(blocks: readonly ContentBlock[]): UserPart[] {
  return blocks.flatMap((block): UserPart[] => {
    if (isText(block)) return block.text === '' ? [] : [textPart(block)];
    if (isReasoning(block) || isToolUse(block)) return [];
    return [isMediaBlock(block) ? userMediaPart(block) : (block as unknown as UserPart)];
  });
}

/** The part for a block of an answer that is neither a call nor a result. */
export function answerParts(block: ContentBlock): AssistantPart[] {
  if (isText(block)) return block.text === '' && block.providerOptions === undefined ? [] : [textPart(block)];
  if (isReasoning(block)) return [{ type: 'reasoning', text: block.reasoning, ...optionsOf(block) }];
  if (isMediaBlock(block)) return [filePart(block)];
  return [block as unknown as AssistantPart];
}

function textPart(block: TextBlock): { type: 'text'; text: string } {
  return { type: 'text', text: block.text, ...optionsOf(block) };
}
