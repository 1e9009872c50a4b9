import type { Timer } from '../model/clock.ts';
import type { SdkPart } from './answer.ts';
import type { Turn } from './turn.ts';

/** While somebody watches, what is new goes to the store at most this often. */
export const INTERVAL_MS = 100;
/** While nobody does, this often is asked whether somebody has come. */
export const ASK_MS = 250;

/** What was added to a part of the answer: its place in the answer, and where in the part the text goes. */
export interface DeltaPart {
  index: number;
  at: number;
  type: 'text' | 'reasoning' | 'tool-input';
  id: string;
  text: string;
  toolName?: string;
}

/**
 * Lets other processes follow an answer while it streams: appends what is new to the agent's deltas, and
 * writes nothing while nobody watches. The first piece has everything until then. The commit that ends the
 * step removes them, so nothing may be written after `stop`.
 */
export class DeltaWriter {
  readonly #turn: Turn;
  readonly #stepNumber: number;
  /** Their texts are what hasn't been written. */
  readonly #parts: DeltaPart[] = [];
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #asked = false;
  #changed = false;
  #stopped = false;

  constructor(turn: Turn, stepNumber: number) {
    this.#turn = turn;
    this.#stepNumber = stepNumber;
  }

  add({ type, id, text, delta, toolName }: SdkPart): void {
    const match = /^(text|reasoning|tool-input)-(start|delta)$/.exec(type);
    if (match === null || id === undefined) return;
    const kind = match[1] as DeltaPart['type'];
    let part = this.#parts.findLast((one) => one.type === kind && one.id === id);
    if (match[2] === 'start' || part === undefined) {
      const name = toolName === undefined ? {} : { toolName };
      part = { index: this.#parts.length, at: 0, type: kind, id, text: '', ...name };
      this.#parts.push(part);
    }
    const added = text ?? String(delta ?? '');
    if (added === '') return;
    part.text += added;
    this.#changed = true;
    this.#schedule();
  }

  /** Resolves when nothing more will be written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
  }

  #schedule(): void {
    if (this.#stopped || !this.#changed) return;
    const pause = this.#asked && !this.#turn.watched ? ASK_MS : INTERVAL_MS;
    this.#timer ??= this.#turn.journal.clock.after(
      pause,
      () => {
        this.#writing = this.#write()
          // A delta is a courtesy to onlookers. What keeps it from being stored will keep the answer's commit
          // from it, too, and is reported there.
          .catch(() => undefined)
          .then(() => {
            this.#timer = undefined;
            this.#schedule();
          });
      },
      { ref: true },
    );
  }

  async #write(): Promise<void> {
    const { id: turnId, journal } = this.#turn;
    if (!this.#turn.watched) {
      this.#asked = true;
      this.#turn.watched = await journal.store.isWatched(journal.agentId);
    }
    if (!this.#turn.watched || this.#stopped) return;
    const parts = this.#parts.filter(({ text }) => text !== '').map((part) => ({ ...part }));
    this.#changed = false;
    this.#turn.watched = await journal.store.saveDelta(journal.agentId, {
      turnId,
      stepNumber: this.#stepNumber,
      // The place of the answer to come: tells it from any that is stored.
      messageSeq: journal.messageCount,
      parts,
    });
    for (const { index, text } of parts) {
      const part = this.#parts[index];
      if (part === undefined) continue;
      part.at += text.length;
      part.text = part.text.slice(text.length);
    }
  }
}
