import type { Message } from '../model/message.ts';
import type { Journal } from './journal.ts';
import type { LeftOut } from './translate/sendable-part.ts';
import type { Notice } from './turn.ts';

/** Blocks that are told of with one answer. The next ones tell of the others. */
export const MAX_TOLD = 100;

/** A block that the model wasn't sent. */
export interface LeftOutBlock {
  /** Of the message; undefined within a summary. */
  messageSeq: number | undefined;
  /** Its place in the message. */
  block: number;
  blockType: string;
  reason: LeftOut['reason'];
}

/** Collects what a prompt leaves out, but for what this agent object has told of. */
export class LeftOutBlocks {
  readonly list: LeftOutBlock[] = [];
  readonly #journal: Journal;
  readonly #conversation: readonly Message[];

  constructor(journal: Journal, conversation: readonly Message[]) {
    this.#journal = journal;
    this.#conversation = conversation;
  }

  readonly add = ({ message, block, reason }: LeftOut): void => {
    if (this.list.length >= MAX_TOLD) return;
    const { summaryLength, compactedSeq, toldLeftOut } = this.#journal;
    const messageSeq = message < summaryLength ? undefined : message - summaryLength + compactedSeq;
    const place = this.#conversation[message]?.content.indexOf(block) ?? -1;
    const one = { messageSeq, block: place, blockType: block.type, reason };
    if (!toldLeftOut.has(nameOf(one, compactedSeq))) this.list.push(one);
  };
}

/** One event for each block, on the timeline before the answer to the prompt that went without it. */
export function leftOutNotices(blocks: readonly LeftOutBlock[]): Notice[] {
  return blocks.map(({ messageSeq, ...rest }) => ({
    event: {
      channel: 'monitor',
      type: 'left-out',
      ...(messageSeq !== undefined && { messageSeq }),
      ...rest,
    },
  }));
}

/** Once their events are stored. */
export function noteTold({ toldLeftOut, compactedSeq }: Journal, blocks: readonly LeftOutBlock[]): void {
  for (const block of blocks) toldLeftOut.add(nameOf(block, compactedSeq));
}

function nameOf({ messageSeq, block }: LeftOutBlock, compactedSeq: number): string {
  return messageSeq === undefined ? `summary ${compactedSeq} ${block}` : `${messageSeq} ${block}`;
}
