import type { Timer } from '../model/clock.ts';
import type { SdkPart } from './answer.ts';
import type { Turn } from './turn.ts';

/** At most this often does a piece of the answer under way go to the store. */
const INTERVAL_MS = 100;

/** A piece of the answer so far. */
export interface DeltaPart {
  type: 'text' | 'reasoning' | 'tool-input';
  id: string;
  text: string;
  toolName?: string;
}

/**
 * Lets other processes follow an answer while it streams: keeps the agent's delta, one row that holds the
 * answer so far and is overwritten. The answer's commit removes it, so nothing may be written after `stop`.
 */
export class DeltaWriter {
  readonly #turn: Turn;
  readonly #stepNumber: number;
  readonly #parts: DeltaPart[] = [];
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
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
      part = { type: kind, id, text: '', ...(toolName === undefined ? {} : { toolName }) };
      this.#parts.push(part);
    }
    part.text += text ?? String(delta ?? '');
    this.#changed = true;
    this.#schedule();
  }

  /** Resolves when nothing more will be written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
  }

  /** Takes back what was shown of an answer of which nothing is kept. */
  async retract(): Promise<void> {
    await this.stop();
    if (this.#parts.length === 0) return;
    this.#parts.length = 0;
    this.#write();
    await this.#writing;
  }

  #schedule(): void {
    if (this.#stopped || !this.#changed) return;
    this.#timer ??= this.#turn.journal.clock.after(INTERVAL_MS, () => this.#write(), { ref: true });
  }

  #write(): void {
    const { id: turnId, journal } = this.#turn;
    this.#changed = false;
    this.#writing = journal.store
      .saveDelta(journal.agentId, {
        turnId,
        stepNumber: this.#stepNumber,
        // The place of the answer to come: tells it from any that is stored.
        messageSeq: journal.messageCount,
        parts: this.#parts,
      })
      // A delta is a courtesy to onlookers. What keeps it from being stored will keep the answer's commit
      // from it, too, and is reported there.
      .catch(() => undefined)
      .then(() => {
        this.#timer = undefined;
        this.#schedule();
      });
  }
}
