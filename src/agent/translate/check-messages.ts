import { ValidationError } from '../../errors.ts';
import { checkObject, describe } from '../../model/ids.ts';
import { reading } from '../../model/json.ts';
import type { Message } from '../../model/message.ts';

/**
 * Translates what a caller gives as messages. What is no message is refused by name before; what within one
 * can't be translated (a cycle, a getter that throws) is an error of the messages, too.
 */
export function translating<T>(
  messages: unknown,
  check: (message: object, field: string) => void,
  work: () => T,
): T {
  return reading('messages', () => {
    if (!Array.isArray(messages)) {
      throw new ValidationError('messages', `must be an array, not ${describe(messages)}`);
    }
    for (let i = 0; i < messages.length; i += 1) {
      const message: unknown = messages[i];
      checkObject(`messages[${i}]`, message);
      check(message, `messages[${i}]`);
    }
    return work();
  });
}

/** A stored message, as far as its translation relies on it. */
export function checkStoredMessage(message: object, field: string): void {
  const { role, content } = message as Partial<Message>;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new ValidationError(`${field}.role`, 'must be "user", "assistant" or "system"');
  }
  checkParts(`${field}.content`, content);
}

/** A message of the model SDK. */
export function checkModelMessage(message: object, field: string): void {
  const { role, content } = message as { role?: unknown; content?: unknown };
  if (typeof role !== 'string')
    throw new ValidationError(`${field}.role`, `must be a string, not ${describe(role)}`);
  if (typeof content !== 'string') checkParts(`${field}.content`, content);
}

function checkParts(field: string, parts: unknown): void {
  if (!Array.isArray(parts)) throw new ValidationError(field, `must be an array, not ${describe(parts)}`);
  for (let i = 0; i < parts.length; i += 1) {
    const part: unknown = parts[i];
    checkObject(`${field}[${i}]`, part);
    const { type } = part as { type?: unknown };
    if (typeof type !== 'string') {
      throw new ValidationError(`${field}[${i}].type`, `must be a string, not ${describe(type)}`);
    }
  }
}
