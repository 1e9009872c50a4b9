import type { Delta } from '../model/agent.ts';
import type { Clock } from '../model/clock.ts';
import type { LogHeader } from './entry.ts';

/** Who asks for pieces is taken for a watcher for so long. */
const WATCH_MS = 30_000;
/** Of JSON texts: so much is kept of steps that haven't ended. Some never do. */
export const MAX_STREAMED = 64 << 20;

interface Streamed {
  key: string;
  /** JSON texts. */
  pieces: string[];
  /** Characters of all of them. */
  length: number;
}

/**
 * Pieces of streamed text, in memory: the process that has the store open is the only one that can ask for
 * them, and a step that ended with its process won't be gone on with.
 */
export class Deltas {
  readonly #clock: Clock;
  /** The one that was appended to longest ago comes first. */
  readonly #streamed = new Map<string, Streamed>();
  /** Of all of them. */
  #length = 0;
  /** The one that ends first comes first. */
  readonly #watchedUntil = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether somebody watches. */
  add({ agentId, key }: LogHeader, piece: string): boolean {
    const streamed = this.#of(agentId, key) ?? { key, pieces: [], length: 0 };
    streamed.pieces.push(piece);
    streamed.length += piece.length;
    this.#length += piece.length;
    this.#streamed.delete(agentId);
    this.#streamed.set(agentId, streamed);
    if (this.#length > MAX_STREAMED) this.#makeRoom();
    return this.isWatched(agentId);
  }

  load({ agentId, key }: LogHeader): Delta[] {
    const now = this.#clock.monotonic();
    for (const [watched, until] of this.#watchedUntil) {
      if (until > now) break;
      this.#watchedUntil.delete(watched);
    }
    this.#watchedUntil.delete(agentId);
    this.#watchedUntil.set(agentId, now + WATCH_MS);
    return (this.#of(agentId, key)?.pieces ?? []).map((piece) => JSON.parse(piece) as Delta);
  }

  isWatched(agentId: string): boolean {
    return (this.#watchedUntil.get(agentId) ?? 0) > this.#clock.monotonic();
  }

  /** The step has ended. */
  drop(agentId: string): void {
    this.#length -= this.#streamed.get(agentId)?.length ?? 0;
    this.#streamed.delete(agentId);
  }

  /** The agent is gone. */
  forget(agentId: string): void {
    this.drop(agentId);
    this.#watchedUntil.delete(agentId);
  }

  /** For how many agents something is kept. */
  get size(): number {
    return this.#streamed.size + this.#watchedUntil.size;
  }

  /** Gives up the text of steps that others have streamed so much since. */
  #makeRoom(): void {
    for (const agentId of this.#streamed.keys()) {
      if (this.#length <= MAX_STREAMED || this.#streamed.size === 1) return;
      this.drop(agentId);
    }
  }

  /** Those of an agent that had the id before are none of this one's. */
  #of(agentId: string, key: string): Streamed | undefined {
    const streamed = this.#streamed.get(agentId);
    if (streamed?.key === key) return streamed;
    this.drop(agentId);
    return undefined;
  }
}
