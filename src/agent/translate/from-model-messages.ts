import { ValidationError } from '../../errors.ts';
import type { ContentBlock, Message, Role } from '../../model/message.ts';
import { checkModelMessage, translating } from './check-messages.ts';
import { keptName } from './kept-name.ts';
import { mediaBlock } from './media.ts';
import type { ModelMessageInput, ModelPart, ModelPartInput } from './model-message.ts';
import { contentOf } from './tool-output.ts';
import { jsonable, optionsOf } from './values.ts';

/**
 * Messages of a model's prompt, or of its answer, as the store keeps them. A `tool` message becomes a user
 * message with a `tool_result` block for each result; bytes become base64 and URLs text; parts that have no
 * block of their own (approval requests and responses, parts of later SDK versions) are kept whole.
 *
 * `toModelMessages` gives back the same prompt.
 *
 * @example
 * const result = streamText({ model, messages });
 * await result.consumeStream();
 * await store.appendMessages(agentId, fromModelMessages((await result.response).messages));
 */
export function fromModelMessages(messages: readonly ModelMessageInput[]): Message[] {
  return translating(messages, checkModelMessage, () =>
    messages.map((message, i) => ({
      role: roleOf(message.role, `messages[${i}].role`),
      content:
        typeof message.content === 'string'
          ? [{ type: 'text', text: message.content }]
          : message.content.map(blockOf),
      ...optionsOf(message),
    })),
  );
}

/**
 * The stored block for one part of a model message.
 *
 * @example
 * blockOf({ type: 'tool-call', toolCallId: 'call_1', toolName: 'read', input: { path: 'a.txt' } });
 * // { type: 'tool_use', id: 'call_1', name: 'read', input: { path: 'a.txt' } }
 */
export function blockOf(input: ModelPartInput): ContentBlock {
  const part = input as ModelPart;
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text, ...optionsOf(part) };
    case 'reasoning':
      return { type: 'reasoning', reasoning: part.text, ...optionsOf(part) };
    case 'image':
      return mediaBlock('image', { ...part, data: part.image }) ?? unknownBlock(part);
    case 'file':
      return mediaBlock('file', part) ?? unknownBlock(part);
    case 'tool-call': {
      const { toolCallId, toolName, input, providerExecuted } = part;
      const id = keptName('call', toolCallId);
      const name = keptName('tool', toolName);
      const executed = providerExecuted === undefined ? {} : { providerExecuted };
      return { type: 'tool_use', id, name, input, ...executed, ...optionsOf(part) };
    }
    case 'tool-result':
      return {
        type: 'tool_result',
        tool_use_id: keptName('call', part.toolCallId),
        ...contentOf(part.output),
        ...optionsOf(part),
      };
    default:
      return unknownBlock(part);
  }
}

function unknownBlock(part: ModelPartInput): ContentBlock {
  return jsonable(part) as ContentBlock;
}

function roleOf(role: string, field: string): Role {
  if (role === 'tool') return 'user';
  if (role === 'user' || role === 'assistant' || role === 'system') return role;
  throw new ValidationError(field, 'must be "system", "user", "assistant" or "tool"');
}
