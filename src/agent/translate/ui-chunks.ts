import type { AgentStreamPart } from '../stream-part.ts';
import type { ModelProviderOptions } from './model-message.ts';
import type { UIFinishReason, UIMessageChunk } from './ui-message.ts';

export interface ChunkOptions {
  messageId?: string | undefined;
  onError?: ((error: unknown) => string) | undefined;
  sendReasoning?: boolean | undefined;
  sendSources?: boolean | undefined;
}

type Part<Type extends AgentStreamPart['type']> = Extract<AgentStreamPart, { type: Type }>;
type Call = Pick<Part<'tool-call'>, 'toolCallId' | 'toolName' | 'input' | 'providerExecuted'>;
type TextKind = 'text' | 'reasoning';
type TextPart<Kind extends TextKind = TextKind> = Part<`${Kind}-start` | `${Kind}-delta` | `${Kind}-end`>;

/** Says of an error no more than the model SDK does, as its text may be meant for nobody but the server. */
export function maskedError(): string {
  return 'An error occurred.';
}

/** Makes UI chunks of a turn's parts, one part after the other. */
export class ChunkWriter {
  readonly #options: ChunkOptions;
  /** Kind and id of each text that has begun and not ended. */
  readonly #open = new Map<string, { kind: TextKind; id: string }>();
  readonly #calls = new Set<string>();
  #inStep = false;

  constructor(options: ChunkOptions) {
    this.#options = options;
  }

  /** The chunks for a part; its cursor comes last, when everything before it has arrived. */
  write(part: AgentStreamPart): UIMessageChunk[] {
    const chunks = this.#chunks(part);
    if (part.cursor === undefined) return chunks;
    const messageMetadata = { cursor: part.cursor };
    const last = chunks.at(-1);
    return last?.type === 'start' || last?.type === 'finish'
      ? [...chunks.slice(0, -1), { ...last, messageMetadata }]
      : [...chunks, { type: 'message-metadata', messageMetadata }];
  }

  /** Ends what was cut off, so that it isn't shown as still being written. */
  end(): UIMessageChunk[] {
    const ends = [...this.#open.values()].map(
      ({ kind, id }): UIMessageChunk => ({ type: `${kind}-end`, id }),
    );
    this.#open.clear();
    return ends;
  }

  #chunks(part: AgentStreamPart): UIMessageChunk[] {
    const { messageId, onError, sendReasoning = true, sendSources = false } = this.#options;
    switch (part.type) {
      case 'start':
        return [{ type: 'start', ...(messageId === undefined ? {} : { messageId }) }];
      case 'start-step':
        this.#inStep = true;
        return [{ type: 'start-step' }];
      case 'text-start':
      case 'text-delta':
      case 'text-end':
        return this.#text('text', part);
      case 'reasoning-start':
      case 'reasoning-delta':
      case 'reasoning-end':
        return sendReasoning ? this.#text('reasoning', part) : [];
      case 'tool-input-start': {
        const { id: toolCallId, toolName } = part;
        this.#calls.add(toolCallId);
        return [{ type: 'tool-input-start', toolCallId, toolName, ...executed(part), ...metadata(part) }];
      }
      case 'tool-input-delta':
        // Without its beginning nobody could show it; the whole input follows with the call.
        if (!this.#calls.has(part.id)) return [];
        return [{ type: 'tool-input-delta', toolCallId: part.id, inputTextDelta: part.delta }];
      case 'tool-call':
        this.#calls.add(part.toolCallId);
        return [callChunk(part)];
      case 'tool-result':
        return [...this.#introduction(part), resultChunk(part)];
      case 'tool-error': {
        const { toolCallId, error } = part;
        const errorText = onError === undefined ? error : onError(error);
        return [
          ...this.#introduction(part),
          { type: 'tool-output-error', toolCallId, errorText, ...executed(part) },
        ];
      }
      case 'tool-output-denied':
        return [...this.#introduction(part), { type: 'tool-output-denied', toolCallId: part.toolCallId }];
      case 'tool-approval-request': {
        const { approvalId, toolCall } = part;
        const { toolCallId } = toolCall;
        return [...this.#introduction(toolCall), { type: 'tool-approval-request', approvalId, toolCallId }];
      }
      case 'source':
        return sendSources ? sourceChunks(part) : [];
      case 'file': {
        const { base64, mediaType } = part.file;
        return [{ type: 'file', mediaType, url: `data:${mediaType};base64,${base64}` }];
      }
      case 'finish-step':
        return [...this.end(), { type: 'finish-step' }];
      case 'finish':
        return [...this.end(), { type: 'finish', finishReason: finishReason(part.finishReason) }];
      case 'abort': {
        const reason = part.reason === undefined ? {} : { reason: part.reason };
        return [...this.end(), { type: 'abort', ...reason }];
      }
      case 'error':
        return [{ type: 'error', errorText: (onError ?? maskedError)(part.error) }];
      case 'tool-input-end':
      case 'raw':
        return [];
    }
  }

  /** A reader who came in the middle of a text is given a beginning: `useChat` insists on one. */
  #text(kind: TextKind, part: TextPart): UIMessageChunk[] {
    const { id } = part;
    const key = `${kind} ${id}`;
    const own = metadata(part);
    if (part.type === 'text-end' || part.type === 'reasoning-end') {
      return this.#open.delete(key) ? [{ type: `${kind}-end`, id, ...own }] : [];
    }
    const begun = this.#open.has(key);
    this.#open.set(key, { kind, id });
    const start: UIMessageChunk[] = begun ? [] : [{ type: `${kind}-start`, id, ...own }];
    return 'text' in part ? [...start, { type: `${kind}-delta`, id, delta: part.text, ...own }] : start;
  }

  /**
   * A call of an earlier turn (one that waited for an approval) is shown again before its outcome, as a
   * reader may not have it. One who has it keeps one part of it, as long as no new step has begun.
   */
  #introduction(call: Call): UIMessageChunk[] {
    if (this.#inStep || this.#calls.has(call.toolCallId)) return [];
    this.#calls.add(call.toolCallId);
    return [callChunk(call)];
  }
}

function callChunk(call: Call): UIMessageChunk {
  const { toolCallId, toolName, input } = call;
  return { type: 'tool-input-available', toolCallId, toolName, input, ...executed(call) };
}

function resultChunk(part: Part<'tool-result'>): UIMessageChunk {
  const { toolCallId, output, preliminary } = part;
  return {
    type: 'tool-output-available',
    toolCallId,
    // JSON drops what is undefined, and then the chunk would have no output.
    output: output === undefined ? null : output,
    ...executed(part),
    ...(preliminary === undefined ? {} : { preliminary }),
  };
}

function sourceChunks(part: Part<'source'>): UIMessageChunk[] {
  const { sourceType, id: sourceId, url, title, mediaType, filename } = part;
  if (sourceType === 'url' && url !== undefined) {
    return [
      { type: 'source-url', sourceId, url, ...(title === undefined ? {} : { title }), ...metadata(part) },
    ];
  }
  if (sourceType !== 'document' || typeof mediaType !== 'string') return [];
  const named = typeof filename === 'string' ? { filename } : {};
  return [{ type: 'source-document', sourceId, mediaType, title: title ?? '', ...named, ...metadata(part) }];
}

function executed(call: { providerExecuted?: boolean }): { providerExecuted?: boolean } {
  return call.providerExecuted === undefined ? {} : { providerExecuted: call.providerExecuted };
}

function metadata(part: object): { providerMetadata?: ModelProviderOptions } {
  const { providerMetadata } = part as { providerMetadata?: ModelProviderOptions };
  return providerMetadata === undefined ? {} : { providerMetadata };
}

const FINISH_REASONS: readonly string[] = [
  'stop',
  'length',
  'content-filter',
  'tool-calls',
  'error',
  'other',
];

function finishReason(reason: string): UIFinishReason {
  return FINISH_REASONS.includes(reason) ? (reason as UIFinishReason) : 'other';
}
