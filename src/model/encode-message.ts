import { ValidationError } from '../errors.ts';
import { describe, validateCallName } from './ids.ts';
import { checkJson, encodeJson } from './json.ts';
import type { Message, Role } from './message.ts';

/** A tool_use block as the commit planner needs it. */
export interface OpenedCall {
  id: string;
  name: string;
  /** Exact JSON text. */
  input: string;
}

/** A message, checked and ready to be stored: its exact text, and what is indexed beside it. */
export interface EncodedMessage {
  role: Role;
  payload: string;
  kinds: { text: boolean; tool_use: boolean; tool_result: boolean; other: boolean };
  opens: OpenedCall[];
  /** `tool_use_id` of each tool_result block. */
  answers: string[];
}

export function encodeMessages(messages: unknown, field: string): EncodedMessage[] {
  if (!Array.isArray(messages))
    throw new ValidationError(field, `must be an array, not ${describe(messages)}`);
  return messages.map((message: Message, i) => encodeMessage(message, `${field}[${i}]`));
}

export function encodeMessage(message: Message, field: string): EncodedMessage {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new ValidationError(field, `must be a message object, not ${describe(message)}`);
  }
  const { role, content } = message;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new ValidationError(`${field}.role`, 'must be "user", "assistant" or "system"');
  }
  if (!Array.isArray(content)) {
    throw new ValidationError(
      `${field}.content`,
      `must be an array of content blocks, not ${describe(content)}`,
    );
  }
  // Depth counts from each value that the caller chose, not from the envelope around it.
  for (const key of Object.keys(message)) {
    if (key !== 'content') checkJson((message as unknown as Record<string, unknown>)[key], `${field}.${key}`);
  }
  const encoded: EncodedMessage = {
    role,
    payload: '',
    kinds: { text: false, tool_use: false, tool_result: false, other: false },
    opens: [],
    answers: [],
  };
  for (const [i, block] of content.entries()) encodeBlock(block, `${field}.content[${i}]`, encoded);
  encoded.payload = JSON.stringify(message);
  return encoded;
}

function encodeBlock(block: unknown, field: string, encoded: EncodedMessage): void {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) {
    throw new ValidationError(field, `must be a content block, not ${describe(block)}`);
  }
  const { type } = block as { type?: unknown };
  if (typeof type !== 'string' || type === '') {
    throw new ValidationError(`${field}.type`, 'must be a non-empty string');
  }
  for (const key of Object.keys(block)) checkJson((block as Record<string, unknown>)[key], `${field}.${key}`);
  if (type === 'tool_use') {
    const { id, name, input } = block as { id?: unknown; name?: unknown; input?: unknown };
    validateCallName(`${field}.id`, id);
    validateCallName(`${field}.name`, name);
    encoded.kinds.tool_use = true;
    encoded.opens.push({ id, name, input: input === undefined ? '{}' : encodeJson(input, `${field}.input`) });
  } else if (type === 'tool_result') {
    const { tool_use_id: id } = block as { tool_use_id?: unknown };
    validateCallName(`${field}.tool_use_id`, id);
    encoded.kinds.tool_result = true;
    encoded.answers.push(id);
  } else if (type === 'text') {
    encoded.kinds.text = true;
  } else {
    encoded.kinds.other = true;
  }
}
