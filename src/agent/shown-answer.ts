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
  /** By their place in the answer, in the order in which they began. */
  readonly #parts = new Map<number, ShownPart>();

  constructor(turnId: string, messageSeq: number) {
    this.turnId = turnId;
    this.messageSeq = messageSeq;
  }

  /** The parts for what a delta adds. It may come twice, where it isn't known whether it was stored. */
  grow(parts: readonly DeltaPart[]): AgentStreamPart[] {
    return parts.flatMap((part) => {
      const { index, at, text } = part;
      const shown = this.#parts.get(index) ?? { ...part, text: '' };
      const fresh = text.slice(shown.text.length - at);
      // What is missing in between comes with the stored answer.
      if (at > shown.text.length || fresh === '') return [];
      const start = shown.text === '' ? [startOf(part)] : [];
      shown.text += fresh;
      this.#parts.set(index, shown);
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
      const whole = { type: block.type, id: `${this.messageSeq}.${i}`, text: saidIn(block) } as ShownPart;
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
    const shown = [...this.#parts.values()];
    this.#parts.clear();
    return shown.map(endOf);
  }

  /** Blocks and deltas have the same order, but a block may be missing where it had no text or couldn't be kept. */
  #take({ type, text }: ShownPart): ShownPart | undefined {
    for (const [index, part] of this.#parts) {
      if (part.type !== type || !text.startsWith(part.text)) continue;
      this.#parts.delete(index);
      return part;
    }
    return undefined;
  }
}

type ShownPart = Pick<DeltaPart, 'type' | 'id' | 'text' | 'toolName'>;

function saidIn(block: TextBlock | ReasoningBlock): string {
  return block.type === 'text' ? block.text : block.reasoning;
}

function startOf({ type, id, toolName = '' }: ShownPart): AgentStreamPart {
  return type === 'tool-input' ? { type: 'tool-input-start', id, toolName } : { type: `${type}-start`, id };
}

function deltaOf({ type, id }: ShownPart, text: string): AgentStreamPart {
  return type === 'tool-input'
    ? { type: 'tool-input-delta', id, delta: text }
    : { type: `${type}-delta`, id, text };
}

function endOf({ type, id }: ShownPart): AgentStreamPart {
  return { type: `${type}-end`, id };
}
