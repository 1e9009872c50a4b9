import { validateName } from '../model/ids.ts';
import type { ContentBlock } from '../model/message.ts';
import { messageOf } from './failure.ts';
import { countFrom, metadataFrom, Repairs, storable, textFrom } from './storable.ts';
import type { TokenUsage } from './stream-part.ts';
import { blockOf } from './translate/from-model-messages.ts';
import { isTooLong } from './translate/kept-name.ts';
import type { ToolResultOutput } from './translate/model-message.ts';

/** A part of the model SDK's stream, as far as it is looked at here. Kinds that aren't known are kept whole. */
export interface SdkPart {
  type: string;
  id?: string;
  text?: string;
  toolCallId?: string;
  toolName?: string;
  input?: unknown;
  output?: unknown;
  error?: unknown;
  invalid?: boolean;
  providerExecuted?: boolean;
  preliminary?: boolean;
  providerMetadata?: Record<string, unknown>;
  [key: string]: unknown;
}

/** A piece of the answer, in the order in which the pieces began. */
interface Piece {
  part: Record<string, unknown> & { type: string };
  /** Text and reasoning end; other pieces arrive whole. */
  ended: boolean;
  /** Why a call can't be run: the model wrote no valid JSON, or asked for a tool that doesn't exist. */
  refusal?: string | undefined;
}

/** Enough for the model to see what is wrong with its call. */
const MAX_REFUSAL = 2_000;

/** Parts of the stream that are about the call to the model, not about its answer. */
const NOT_CONTENT = new Set([
  'start',
  'start-step',
  'finish-step',
  'finish',
  'abort',
  'error',
  'raw',
  'ping',
  'source',
]);

/** What ai 7 passes on as content, although it tells of the call: the id and the usage so far. */
const CALL_KINDS = new Set(['anthropic.message_start']);

/**
 * Puts a streamed answer together as the message that is stored and sent back: pieces in their order, each
 * with the provider's metadata, which must go back verbatim.
 */
export class Answer {
  finishReason = 'unknown';
  /** The provider said how the answer ends. Some proxies end a stream as if it were whole. */
  isWhole = false;
  modelId: string | undefined;
  usage: TokenUsage = {};
  /** What couldn't be stored as it came. */
  readonly repairs = new Repairs();
  readonly #pieces: Piece[] = [];
  readonly #streaming = new Map<string, Piece>();

  add(part: SdkPart): void {
    const [kind = '', phase] = splitName(part.type);
    if (part.type === 'finish-step') this.#finish(part);
    else if (kind === 'text' || kind === 'reasoning') this.#addStreamed(kind, phase, part);
    else if (kind !== 'tool-input' && isContent(part)) this.#addWhole(part);
  }

  /** The answer as stored blocks. */
  blocks(): ContentBlock[] {
    return this.#pieces.filter(hasContent).map((piece) => this.#blockOf(piece));
  }

  /**
   * Of an answer that was cut off: without what providers refuse to be sent back (reasoning without its
   * signature, calls of their own that have no result) and without half a call.
   */
  partialBlocks(): ContentBlock[] {
    const parts = this.#pieces.map(({ part }) => part);
    const answered = new Set(
      parts.filter(({ type }) => type === 'tool-result').map((part) => part.toolCallId),
    );
    // Parts of one summary share an item, and only the last of them carries what signs it.
    const signed = new Set(parts.filter(isSigned).map(itemOf));
    return this.#pieces
      .filter(({ part, ended, refusal }) => {
        if (part.type === 'reasoning') return ended && (isSigned(part) || signed.has(itemOf(part)));
        if (part.type !== 'tool-call') return true;
        return part.providerExecuted ? answered.has(part.toolCallId) : refusal === undefined;
      })
      .filter(hasContent)
      .map((piece) => this.#blockOf(piece));
  }

  /** For each call of the answer, in order: why it can't be run, or undefined. */
  refusals(): (string | undefined)[] {
    return this.#pieces.filter(({ part }) => part.type === 'tool-call').map(({ refusal }) => refusal);
  }

  #addStreamed(kind: string, phase: string | undefined, part: SdkPart): void {
    const key = `${kind} ${part.id}`;
    let piece = this.#streaming.get(key);
    if (piece === undefined) {
      piece = { part: { type: kind, text: '' }, ended: false };
      this.#pieces.push(piece);
      this.#streaming.set(key, piece);
    }
    if (phase === 'delta') piece.part.text += textFrom(part.text, `${kind}.text`, this.repairs);
    // A signature comes with whichever part its provider chose: the last one that has metadata counts.
    const options = this.#optionsOf(part);
    if (options !== undefined) piece.part.providerOptions = options;
    if (phase === 'end') {
      piece.ended = true;
      this.#streaming.delete(key);
    }
  }

  #addWhole(part: SdkPart): void {
    const { type, providerExecuted } = part;
    const providerOptions = this.#optionsOf(part);
    const options = providerOptions === undefined ? {} : { providerOptions };
    switch (type) {
      case 'tool-call': {
        const input = part.invalid && typeof part.input !== 'object' ? {} : part.input;
        const executed = providerExecuted ? { providerExecuted } : {};
        const refusal = part.invalid ? messageOf(part.error).slice(0, MAX_REFUSAL) : undefined;
        this.#push({ type, ...this.#named(part), input, ...executed, ...options }, refusal);
        return;
      }
      case 'tool-result':
      case 'tool-error': {
        // Errors of calls that aren't the provider's repeat what an invalid call said of itself.
        if (providerExecuted && !part.preliminary) {
          const output = providerOutput(part);
          this.#push({ type: 'tool-result', ...this.#named(part), output, ...options });
        }
        return;
      }
      case 'file':
      case 'reasoning-file': {
        const { base64, mediaType } = (part.file ?? {}) as { base64?: unknown; mediaType?: unknown };
        if (typeof base64 !== 'string' || typeof mediaType !== 'string') {
          this.repairs.note(type, 'has no content or no media type: left out');
          return;
        }
        this.#push({ type, data: base64, mediaType, ...options });
        return;
      }
      default: {
        const { providerMetadata: _moved, ...rest } = part;
        this.#push({ ...rest, ...options });
      }
    }
  }

  #optionsOf({ type, providerMetadata }: SdkPart): Record<string, unknown> | undefined {
    if (providerMetadata === undefined) return undefined;
    return metadataFrom(providerMetadata, `${type}.providerMetadata`, this.repairs);
  }

  /** The call's id and the tool's name are texts, whatever they are. */
  #named({ toolCallId, toolName }: SdkPart): { toolCallId: string; toolName: string } {
    for (const [field, value] of Object.entries({ toolCallId, toolName })) {
      if (isTooLong(value)) this.repairs.note(field, 'is longer than 64 KB: a digest is kept');
      if (value === undefined) this.repairs.note(field, 'is missing');
    }
    return {
      toolCallId: textFrom(toolCallId, 'toolCallId', this.repairs),
      toolName: textFrom(toolName, 'toolName', this.repairs),
    };
  }

  /** Also of what the provider made of an SDK's part, which may be anything. */
  #blockOf({ part }: Piece): ContentBlock {
    return blockOf(storable(part, part.type, this.repairs) as Piece['part']);
  }

  #push(part: Piece['part'], refusal?: string): void {
    this.#pieces.push({ part, ended: true, refusal });
  }

  #finish(part: SdkPart): void {
    const { finishReason, rawFinishReason, response, usage } = part as unknown as FinishStep;
    this.finishReason = textFrom(finishReason, 'finishReason', this.repairs) || 'unknown';
    this.isWhole = /^(error|interrupted)$/.test(this.finishReason)
      ? false
      : rawFinishReason !== undefined || !/^(other|unknown)$/.test(this.finishReason);
    this.modelId = this.#modelIdFrom(response?.modelId);
    const count = (field: string, value: unknown) => countFrom(value, `usage.${field}`, this.repairs);
    const { inputTokenDetails: input, outputTokenDetails: output } = usage ?? {};
    this.usage = withoutUndefined({
      inputTokens: count('inputTokens', usage?.inputTokens),
      outputTokens: count('outputTokens', usage?.outputTokens),
      cachedTokens: count('cachedTokens', input?.cacheReadTokens ?? usage?.cachedInputTokens),
      reasoningTokens: count('reasoningTokens', output?.reasoningTokens ?? usage?.reasoningTokens),
    });
  }

  #modelIdFrom(value: unknown): string | undefined {
    if (value === undefined) return undefined;
    try {
      validateName('modelId', value);
      return value;
    } catch (error) {
      this.repairs.note('modelId', messageOf(error));
      return undefined;
    }
  }
}

interface FinishStep {
  finishReason: string;
  rawFinishReason?: string;
  response?: { modelId?: string };
  usage?: {
    inputTokens?: number;
    outputTokens?: number;
    inputTokenDetails?: { cacheReadTokens?: number };
    outputTokenDetails?: { reasoningTokens?: number };
    cachedInputTokens?: number;
    reasoningTokens?: number;
  };
}

function isContent({ type, kind }: SdkPart): boolean {
  return !NOT_CONTENT.has(type) && !(type === 'custom' && CALL_KINDS.has(String(kind)));
}

/** `text-delta` → `text`, `delta`. */
function splitName(type: string): [string, string | undefined] {
  const match = /^(.+)-(start|delta|end)$/.exec(type);
  return match ? [match[1] ?? '', match[2]] : [type, undefined];
}

/** Under the names of Anthropic, OpenAI and Google. */
const SIGNATURES = ['signature', 'redactedData', 'reasoningEncryptedContent', 'thoughtSignature'];

function isSigned({ providerOptions }: Piece['part']): boolean {
  const options = Object.values(providerOptions ?? {}) as (Record<string, unknown> | undefined)[];
  return options.some((one) => SIGNATURES.some((name) => typeof one?.[name] === 'string'));
}

/** Something of its own where a part has no item. */
function itemOf(part: Piece['part']): unknown {
  const { openai } = (part.providerOptions ?? {}) as { openai?: { itemId?: unknown } };
  return openai?.itemId ?? part;
}

function hasContent({ part }: Piece): boolean {
  return part.type !== 'text' || part.text !== '' || part.providerOptions !== undefined;
}

/** What the provider's own tool gave, as the SDK sends it back. */
function providerOutput(part: SdkPart): ToolResultOutput {
  const [type, value] = part.type === 'tool-error' ? ['error-json', part.error] : ['json', part.output];
  if (type === 'json' && typeof value === 'string') return { type: 'text', value };
  return { type, value: value ?? null } as ToolResultOutput;
}

export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;
}
