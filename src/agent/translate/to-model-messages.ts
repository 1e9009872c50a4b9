import type { ContentBlock, Message, ToolUseBlock } from '../../model/message.ts';
import { checkPromptOptions } from '../agent-arguments.ts';
import { checkStoredMessage, translating } from './check-messages.ts';
import type { AssistantPart, ModelMessage, ToolPart, ToolResultPart } from './model-message.ts';
import {
  answerPart,
  callPart,
  isReasoning,
  isText,
  isToolResult,
  isToolUse,
  resultPart,
  userPart,
} from './model-part.ts';
import { isBlank, type LeftOut, type PromptOptions, shownName, shownOutput } from './sendable-part.ts';
import { optionsOf } from './values.ts';

export type { LeftOut, PromptOptions };

/** What a model is told about a call of which nothing else is known. */
export const CUT_OFF = 'This call was cut off; it has no result.';

/**
 * Stored messages as a prompt for the model SDK (`streamText({ messages })`, version 6 and 7), with
 * everything that must go back to the provider as it came.
 *
 * The prompt is always one that every provider accepts: a call without a result, when the conversation goes on
 * without it, gets an error result that says so; a result without a call, blank texts and empty messages are
 * left out; a name that no tool can have is shown without what makes it impossible. So is an answer left out
 * that was cut off (`metadata.partial`), unless the user spoke next. What a prompt has no place for (`metadata`,
 * further keys of a known block) stays behind. Blocks of unknown types are for the provider that made them;
 * `onLeftOut` is told of those that aren't handed over.
 *
 * The prompt for a beginning of the conversation is the beginning of the prompt for all of it, up to the
 * step that was open, so that prompt caches hit.
 *
 * @example
 * const result = streamText({ model, messages: toModelMessages(await store.loadContext(agentId)) });
 */
export function toModelMessages(messages: readonly Message[], options: PromptOptions = {}): ModelMessage[] {
  const checked = checkPromptOptions(options);
  return translating(messages, checkStoredMessage, () => {
    const prompt = new Prompt(checked);
    for (const [i, message] of messages.entries()) {
      prompt.place = i;
      if (message.role === 'system') prompt.system(message);
      else if (message.role === 'user') prompt.user(message);
      else if (!isPartial(message) || roleAfter(messages, i) === 'user') prompt.answer(message);
    }
    return prompt.end();
  });
}

/** A prompt as it grows, with the calls that still lack a result. */
class Prompt {
  /** Of the message that is being added. */
  place = 0;
  readonly #options: PromptOptions;
  readonly #messages: ModelMessage[] = [];
  /** In the order of the calls: ids may repeat, and then the first result belongs to the first call. */
  #open: ToolUseBlock[] = [];
  /** Calls of the last answer for which the SDK asked for an approval, by the approval's id. */
  readonly #approvals = new Map<unknown, unknown>();

  constructor(options: PromptOptions) {
    this.#options = options;
  }

  system(message: Message): void {
    this.#seal(this.#open);
    const texts = message.content.filter(isText).filter((block) => this.#keep(block, !isBlank(block.text)));
    for (const [i, block] of texts.entries()) {
      // The SDK's system messages are one text each.
      const own = i === texts.length - 1 ? optionsOf(message) : {};
      this.#messages.push({ role: 'system', content: block.text, ...optionsOf(block), ...own });
    }
  }

  user(message: Message): void {
    const results = message.content.flatMap((block) => this.#toolParts(block));
    const said = message.content.filter((block) => !isForTools(block));
    const rest = said.flatMap((block) => this.#kept(block, userPart(block, this.#options)));
    const options = optionsOf(message);
    if (results.length > 0) {
      this.#messages.push({ role: 'tool', content: results, ...(rest.length > 0 ? {} : options) });
    }
    if (rest.length === 0) return;
    this.#seal(this.#open);
    this.#messages.push({ role: 'user', content: rest, ...options });
  }

  answer(message: Message): void {
    this.#seal(this.#open);
    this.#approvals.clear();
    const results: ToolPart[] = [];
    const parts = message.content.flatMap((block): AssistantPart[] => {
      if (isToolUse(block)) {
        if (isPartial(message) && isHalfSearch(block, message.content)) return [];
        this.#open.push(block);
        return [callPart(block, this.#options)];
      }
      if (isToolResult(block)) {
        const call = this.#take(block.tool_use_id);
        if (call === undefined) {
          this.#leaveOut(block, 'without a call');
          return [];
        }
        const result = resultPart(block, call.name, this.#options);
        if (call.providerExecuted === true) return [result];
        results.push(shownResult(result));
        return [];
      }
      if (block.type === 'tool-approval-request') this.#approvals.set(block.approvalId, block.toolCallId);
      return this.#kept(block, answerPart(block, this.#options));
    });
    if (parts.length > 0) this.#messages.push({ role: 'assistant', content: parts, ...optionsOf(message) });
    if (results.length > 0) this.#messages.push({ role: 'tool', content: results });
  }

  /** A call that waits for an approval stays open at the end: the SDK runs it, or denies it, itself. */
  end(): ModelMessage[] {
    const waiting = new Set(this.#approvals.values());
    this.#seal(this.#open.filter((call) => !waiting.has(call.id)));
    return this.#messages;
  }

  #toolParts(block: ContentBlock): ToolPart[] {
    if (isToolResult(block)) {
      const call = this.#take(block.tool_use_id);
      if (call === undefined) this.#leaveOut(block, 'without a call');
      return call === undefined ? [] : [shownResult(resultPart(block, call.name, this.#options))];
    }
    return isForTools(block) && this.#approvals.has(block.approvalId) ? [block as unknown as ToolPart] : [];
  }

  #kept<T>(block: ContentBlock, part: T | undefined): T[] {
    return this.#keep(block, part !== undefined) && part !== undefined ? [part] : [];
  }

  #keep(block: ContentBlock, keep: boolean): boolean {
    if (!keep) this.#leaveOut(block, isText(block) || isReasoning(block) ? 'blank' : 'unknown');
    return keep;
  }

  #leaveOut(block: ContentBlock, reason: LeftOut['reason']): void {
    this.#options.onLeftOut?.({ message: this.place, block, reason });
  }

  #take(id: string): ToolUseBlock | undefined {
    const index = this.#open.findIndex((call) => call.id === id);
    return index < 0 ? undefined : this.#open.splice(index, 1)[0];
  }

  /** Gives calls of ours the result that never came. A provider may give its own results steps later. */
  #seal(calls: readonly ToolUseBlock[]): void {
    const cutOff = calls.filter((call) => call.providerExecuted !== true);
    if (cutOff.length === 0) return;
    this.#open = this.#open.filter((call) => !cutOff.includes(call));
    this.#messages.push({
      role: 'tool',
      content: cutOff.map(({ id, name }) => ({
        type: 'tool-result',
        toolCallId: id,
        toolName: shownName(name, this.#options),
        output: { type: 'error-text', value: CUT_OFF },
      })),
    });
  }
}

/** Of a call of ours; a provider takes back its own results as it gave them. */
function shownResult(part: ToolResultPart): ToolResultPart {
  return { ...part, output: shownOutput(part.output) };
}

function isPartial(message: Message): boolean {
  return message.metadata?.partial === true;
}

function roleAfter(messages: readonly Message[], index: number): Message['role'] | undefined {
  return messages.slice(index + 1).find((message) => message.role !== 'system')?.role;
}

/** Blocks of a user message that belong into the prompt's `tool` message. */
function isForTools(block: ContentBlock): block is ContentBlock & { approvalId?: unknown } {
  return block.type === 'tool_result' || block.type === 'tool-approval-response';
}

/** Whether the provider was cut off before it gave the result of a call that it ran itself. */
function isHalfSearch(call: ToolUseBlock, content: readonly ContentBlock[]): boolean {
  return (
    call.providerExecuted === true &&
    !content.some((block) => isToolResult(block) && block.tool_use_id === call.id)
  );
}
