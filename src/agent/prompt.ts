import type { Message } from '../model/message.ts';
import type { LanguageModel } from './model.ts';
import type { ReadyTemplate } from './ready-template.ts';
import type { ModelMessage } from './translate/model-message.ts';
import type { LeftOut } from './translate/sendable-part.ts';
import { toModelMessages } from './translate/to-model-messages.ts';

/** What the turn's model is sent of a conversation. */
export function promptOf(
  { model, template }: { model: LanguageModel; template: ReadyTemplate },
  conversation: readonly Message[],
  onLeftOut?: (leftOut: LeftOut) => void,
): ModelMessage[] {
  const provider = typeof model === 'string' ? undefined : model.provider;
  return toModelMessages(conversation, { provider, tools: new Set(template.tools.keys()), onLeftOut });
}
