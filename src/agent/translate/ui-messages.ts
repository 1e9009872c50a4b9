import { appendAll } from '../../model/lists.ts';
import type {
  ContentBlock,
  MediaBlock,
  Message,
  ToolResultBlock,
  ToolUseBlock,
} from '../../model/message.ts';
import type { ToolCallRecord } from '../../model/tool-call.ts';
import { checkUIOptions } from '../agent-arguments.ts';
import { checkStoredMessage, translating } from './check-messages.ts';
import { filePart, isMediaBlock } from './media.ts';
import type { ModelProviderOptions } from './model-message.ts';
import { isReasoning, isText, isToolResult, isToolUse } from './model-part.ts';
import type { UIFilePart, UIMessage, UIMessagePart } from './ui-message.ts';
import type { UIMessagesOptions } from './ui-options.ts';
import { type CallSoFar, toolPart } from './ui-tool-part.ts';
import { isObject, optionsOf } from './values.ts';

/**
 * Stored messages as `useChat` keeps them. An answer with all its steps, and the results of their tools, is
 * one message with a `step-start` part for each step. Tool parts are typed `tool-NAME`, as the parts of
 * `toUIMessageStream` are and as typed user interfaces match them; a waiting approval has the call's
 * `callSeq` for its id. Blocks of unknown types become `data-TYPE` parts.
 *
 * @example
 * const { messages, toolCalls } = await store.loadAgent(agentId);
 * const chat = useChat({ messages: toUIMessages(messages, { toolCalls }) });
 */
export function toUIMessages(messages: readonly Message[], options: UIMessagesOptions = {}): UIMessage[] {
  const { toolCalls = [], firstSeq = 0, idOf = (seq) => `msg-${seq}` } = checkUIOptions(options);
  return translating(messages, checkStoredMessage, () => {
    const chat = new Chat(toolCalls);
    for (const [i, message] of messages.entries()) chat.add(message, firstSeq + i);
    return chat.drafts.map(({ seq, role, parts }) => ({
      id: idOf(seq),
      role,
      parts: parts.map((part) => ('use' in part ? toolPart(part) : part)),
    }));
  });
}

interface Draft {
  seq: number;
  role: UIMessage['role'];
  /** Calls become parts at the end, when all of their outcome is known. */
  parts: (UIMessagePart | CallSoFar)[];
}

class Chat {
  readonly drafts: Draft[] = [];
  /** Those not yet found in a message, in the order of the calls. */
  readonly #records = new Map<number | undefined, ToolCallRecord[]>();
  /** The answer that is going on, as long as nobody else speaks. */
  #answer: Draft | undefined;
  /** Calls without a result, in order. */
  #open: CallSoFar[] = [];

  constructor(toolCalls: readonly ToolCallRecord[]) {
    for (const record of [...toolCalls].sort((a, b) => a.callSeq - b.callSeq)) {
      const records = this.#records.get(record.messageSeq);
      if (records === undefined) this.#records.set(record.messageSeq, [record]);
      else records.push(record);
    }
  }

  add(message: Message, seq: number): void {
    if (message.role === 'assistant') this.#addStep(message, seq);
    else this.#addSpoken(message, message.role, seq);
  }

  #addSpoken(message: Message, role: 'user' | 'system', seq: number): void {
    const parts = message.content.flatMap((block) => {
      if (isToolResult(block)) this.#settle(block);
      else if (block.type === 'tool-approval-response') this.#decide(block);
      else if (!isToolUse(block) && !isReasoning(block)) return shownParts(block);
      return [];
    });
    if (parts.length === 0) return;
    this.#cutOff();
    this.#answer = undefined;
    this.drafts.push({ seq, role, parts });
  }

  #addStep(message: Message, seq: number): void {
    this.#cutOff();
    const parts = message.content.flatMap((block): Draft['parts'] => {
      if (isToolUse(block)) {
        const call: CallSoFar = { use: block, record: this.#recordOf(block, seq), cutOff: false };
        this.#open.push(call);
        return [call];
      }
      if (isToolResult(block)) this.#settle(block);
      else if (block.type === 'tool-approval-request') this.#ask(block);
      else return shownParts(block);
      return [];
    });
    if (parts.length === 0) return;
    if (this.#answer === undefined) {
      this.#answer = { seq, role: 'assistant', parts: [] };
      this.drafts.push(this.#answer);
    }
    this.#answer.parts.push({ type: 'step-start' });
    appendAll(this.#answer.parts, parts);
  }

  /** Records are in the order of the blocks that opened them, as ids may repeat. */
  #recordOf(use: ToolUseBlock, seq: number): ToolCallRecord | undefined {
    const records = this.#records.get(seq) ?? [];
    const index = records.findIndex((record) => record.toolCallId === use.id);
    return index < 0 ? undefined : records.splice(index, 1)[0];
  }

  #settle(result: ToolResultBlock): void {
    const index = this.#open.findIndex((call) => call.use.id === result.tool_use_id);
    const [call] = index < 0 ? [] : this.#open.splice(index, 1);
    if (call !== undefined) call.result = result;
  }

  #ask(block: ContentBlock): void {
    const { approvalId, toolCallId } = block as { approvalId?: unknown; toolCallId?: unknown };
    const call = this.#open.find(({ use }) => use.id === toolCallId);
    if (call !== undefined) call.approval = { id: String(approvalId) };
  }

  #decide(block: ContentBlock): void {
    const { approvalId, approved, reason } = block as {
      approvalId?: unknown;
      approved?: unknown;
      reason?: unknown;
    };
    const approval = this.#open.find((call) => call.approval?.id === approvalId)?.approval;
    if (approval === undefined) return;
    approval.approved = approved === true;
    if (typeof reason === 'string') approval.reason = reason;
  }

  /** Our own calls get their results before anything else is said; a provider may give its own later. */
  #cutOff(): void {
    for (const call of this.#open) call.cutOff = call.use.providerExecuted !== true;
    this.#open = this.#open.filter((call) => !call.cutOff);
  }
}

function shownParts(block: ContentBlock): UIMessagePart[] {
  const own = metadata(block);
  if (isText(block)) {
    if (block.text === '' && block.providerOptions === undefined) return [];
    return [{ type: 'text', text: block.text, state: 'done', ...own }];
  }
  if (isReasoning(block)) return [{ type: 'reasoning', text: block.reasoning, state: 'done', ...own }];
  if (isMediaBlock(block)) return [uiFilePart(block)];
  return [{ type: `data-${block.type}`, data: block }];
}

function uiFilePart(block: MediaBlock): UIFilePart {
  const { data, mediaType, filename } = filePart(block);
  const url = block.base64 === undefined ? data : `data:${mediaType};base64,${data}`;
  return {
    type: 'file',
    mediaType,
    ...(filename === undefined ? {} : { filename }),
    url,
    ...(data === block.file_id ? { providerReference: referenceTo(data) } : {}),
    ...metadata(block),
  };
}

/** A provider's file, by the provider: ai 7 takes its id in no other way. Anthropic's and OpenAI's ids differ. */
function referenceTo(fileId: string): Record<string, string> {
  return { [fileId.startsWith('file_') ? 'anthropic' : 'openai']: fileId };
}

function metadata(block: ContentBlock): { providerMetadata?: ModelProviderOptions } {
  const { providerOptions } = optionsOf(block);
  return isObject(providerOptions) ? { providerMetadata: providerOptions } : {};
}
