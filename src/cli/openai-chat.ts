import { ValidationError } from '../errors.ts';
import { encodeMessage } from '../model/encode-message.ts';
import { appendAll } from '../model/lists.ts';
import type { ContentBlock, Message } from '../model/message.ts';
import type { ToolCallUpdate } from '../model/tool-call.ts';
import { metadata, toBlocks, toolUseBlock } from './openai-blocks.ts';
import { asChatMessage, type ChatMessage, messageFaults, type ToolMessage } from './openai-schema.ts';

const MAX_NAMED = 100;

/** What one commit of an import holds: an input, an answer with its tool calls, or a step's results. */
export interface ImportStep {
  message: Message;
  /** Outcomes of the calls whose results the message carries; opening a call needs no record. */
  toolCalls: ToolCallUpdate[];
}

/** Something that can't be imported. `message` is its 0-based position in the conversation. */
export interface Problem {
  message?: number;
  text: string;
}

export interface Conversion {
  steps: ImportStep[];
  toolCalls: number;
  /** Not empty: the conversation can't be imported as it is. */
  problems: Problem[];
}

/**
 * Turns one conversation of OpenAI's chat format into the steps of an agent:
 *
 * - prompts and inputs keep their place and text; `null` content becomes no block at all;
 * - an assistant message's tool calls become `tool_use` blocks behind its text;
 * - the results of one step's calls become one user message with `tool_result` blocks in call order;
 * - keys that the store's form has no place for are kept in the message's or block's `metadata`.
 */
export function convertConversation(messages: readonly unknown[]): Conversion {
  const problems: Problem[] = messages.flatMap((value, message) =>
    messageFaults(value).map((text) => ({ message, text })),
  );
  if (messages.length === 0) problems.push({ text: 'has no messages' });
  // Where messages are bad, calls and results don't match either: reporting that says nothing new.
  if (problems.length > 0) return { steps: [], toolCalls: 0, problems };
  const converter = new Converter();
  for (const [index, value] of messages.entries()) converter.add(index, asChatMessage(value));
  return converter.finish();
}

interface OpenCall {
  id: string;
  name: string;
  callSeq: number;
  result?: { block: ContentBlock; update: ToolCallUpdate };
}

class Converter {
  readonly #steps: ImportStep[] = [];
  readonly #problems: Problem[] = [];
  /** The calls of the latest answer, while their results are coming in. */
  #open: OpenCall[] = [];
  #toolCalls = 0;

  add(index: number, message: ChatMessage): void {
    if (message.role === 'tool') {
      this.#takeResult(index, message);
      return;
    }
    this.#closeStep({ message: index });
    const converted = toMessage(message);
    this.#check(index, converted);
    this.#steps.push({ message: converted, toolCalls: [] });
    if (message.role !== 'assistant') return;
    for (const call of message.tool_calls ?? []) {
      this.#open.push({ id: call.id, name: call.function.name, callSeq: this.#toolCalls++ });
    }
  }

  finish(): Conversion {
    // A recording may end before any of the last calls was run: they stay open.
    if (this.#open.some((call) => call.result)) this.#closeStep({});
    return { steps: this.#steps, toolCalls: this.#toolCalls, problems: this.#problems };
  }

  /** The result belongs to the first call of this step with its id: ids may come again in later steps. */
  #takeResult(index: number, message: ToolMessage): void {
    const id = message.tool_call_id;
    const call = this.#open.find((candidate) => candidate.id === id && !candidate.result);
    if (!call) {
      this.#problems.push({
        message: index,
        text: `tool_call_id: no call ${named(id)} waits for a result here`,
      });
      return;
    }
    const output = resultContent(message.content);
    const failed = beginsWithError(output);
    const known = ['role', 'tool_call_id', 'content'];
    // Exporters repeat the tool's name in its result; only another name says something.
    if (message.name === call.name) known.push('name');
    const block: ContentBlock = {
      type: 'tool_result',
      tool_use_id: id,
      content: output,
      ...(failed ? { is_error: true } : {}),
      ...metadata(message, known),
    };
    this.#check(index, { role: 'user', content: [block] });
    const state = failed ? 'failed' : 'completed';
    call.result = {
      block,
      update: { toolCallId: id, callSeq: call.callSeq, state, output, isError: failed },
    };
  }

  /** Ends the step whose results came in; a call without one is reported at `position`. */
  #closeStep(position: Pick<Problem, 'message'>): void {
    const content: ContentBlock[] = [];
    const toolCalls: ToolCallUpdate[] = [];
    for (const { id, result } of this.#open) {
      if (result) {
        content.push(result.block);
        toolCalls.push(result.update);
      } else {
        this.#problems.push({ ...position, text: `tool call ${named(id)} got no result` });
      }
    }
    this.#open = [];
    if (content.length > 0) this.#steps.push({ message: { role: 'user', content }, toolCalls });
  }

  /** What the store would refuse is found before anything is written. */
  #check(index: number, message: Message): void {
    try {
      encodeMessage(message, 'message');
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      this.#problems.push({ message: index, text: error.message });
    }
  }
}

function toMessage(message: Exclude<ChatMessage, ToolMessage>): Message {
  const content = toBlocks(message.content);
  switch (message.role) {
    case 'assistant':
      appendAll(content, (message.tool_calls ?? []).map(toolUseBlock));
      return { role: 'assistant', content, ...metadata(message, ['role', 'content', 'tool_calls']) };
    case 'developer':
      // The newer name of the system prompt; kept, as some models know only one of the two.
      return { role: 'system', content, ...metadata(message, ['content']) };
    default:
      return { role: message.role, content, ...metadata(message, ['role', 'content']) };
  }
}

function resultContent(content: ToolMessage['content']): string | ContentBlock[] | null {
  if (content === null || content === undefined) return null;
  return typeof content === 'string' ? content : toBlocks(content);
}

function beginsWithError(output: string | ContentBlock[] | null): boolean {
  const first: unknown = Array.isArray(output) ? textOf(output[0]) : output;
  return typeof first === 'string' && first.startsWith('Error');
}

function textOf(block: ContentBlock | undefined): unknown {
  return block && 'text' in block ? block.text : undefined;
}

/** Ids may be 64 KB long: a message names a call by their beginning. */
function named(id: string): string {
  return JSON.stringify(id.length > MAX_NAMED ? `${id.slice(0, MAX_NAMED)}…` : id);
}
