import type { ContentBlock, ReasoningBlock, TextBlock } from '../model/message.ts';
import type { DeltaPart } from './delta-writer.ts';
import type { AgentStreamPart } from './stream-part.ts';
import { filePart, isMediaBlock } from './translate/media.ts';
import { isReasoning, isText } from './translate/model-part.ts';

/** What a reader has been shown of an answer, from its deltas, before the answer is stored. */
export class ShownAnswer {
  readonly turnId: string;
  /** The place that the answer's message will have. */
  readonly messageSeq: number;
  readonly #parts: DeltaPart[] = [];

  constructor(turnId: string, messageSeq: number) {
    this.turnId = turnId;
    this.messageSeq = messageSeq;
  }

  /** The parts for what a delta has that the ones before hadn't. A delta holds the answer from its beginning. */
  grow(parts: readonly DeltaPart[]): AgentStreamPart[] {
    return parts.flatMap((part, i) => {
      const shown = this.#parts[i] ?? { ...part, text: '' };
      this.#parts[i] = shown;
      const fresh = part.text.slice(shown.text.length);
      if (fresh === '') return [];
      const start = shown.text === '' ? [startOf(part)] : [];
      shown.text = part.text;
      return [...start, deltaOf(part, fresh)];
    });
  }

  /** The parts for what the stored answer has beyond what was shown. Its calls have events of their own. */
  complete(content: readonly ContentBlock[]): AgentStreamPart[] {
    const parts: AgentStreamPart[] = [];
    for (const [i, block] of content.entries()) {
      if (isMediaBlock(block) && block.base64 !== undefined) {
        parts.push({ type: 'file', file: { base64: block.base64, mediaType: filePart(block).mediaType } });
      }
      if (!isText(block) && !isReasoning(block)) continue;
      const whole = { type: block.type, id: `${this.messageSeq}.${i}`, text: saidIn(block) } as DeltaPart;
      const shown = this.#take(whole);
      const { id, text } = shown ?? { ...whole, text: '' };
      const fresh = whole.text.slice(text.length);
      if (shown === undefined) parts.push(startOf(whole));
      if (fresh !== '') parts.push(deltaOf({ ...whole, id }, fresh));
      const { providerOptions } = block;
      parts.push({
        ...endOf({ ...whole, id }),
        ...(providerOptions && { providerMetadata: providerOptions }),
      });
    }
    return [...parts, ...this.end()];
  }

  /** Ends what was shown. */
  end(): AgentStreamPart[] {
    return this.#parts.splice(0).flatMap((part) => (part.text === '' ? [] : [endOf(part)]));
  }

  /** Blocks and deltas have the same order, but a block may be missing where it had no text or couldn't be kept. */
  #take({ type, text }: DeltaPart): DeltaPart | undefined {
    const at = this.#parts.findIndex(
      (part) => part.type === type && part.text !== '' && text.startsWith(part.text),
    );
    return at === -1 ? undefined : this.#parts.splice(at, 1)[0];
  }
}

function saidIn(block: TextBlock | ReasoningBlock): string {
  return block.type === 'text' ? block.text : block.reasoning;
}

function startOf({ type, id, toolName = '' }: DeltaPart): AgentStreamPart {
  return type === 'tool-input' ? { type: 'tool-input-start', id, toolName } : { type: `${type}-start`, id };
}

function deltaOf({ type, id }: DeltaPart, text: string): AgentStreamPart {
  return type === 'tool-input'
    ? { type: 'tool-input-delta', id, delta: text }
    : { type: `${type}-delta`, id, text };
}

function endOf({ type, id }: DeltaPart): AgentStreamPart {
  return { type: `${type}-end`, id };
}
