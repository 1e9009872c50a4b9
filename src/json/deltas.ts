import type { Delta } from '../model/agent.ts';
import type { Clock } from '../model/clock.ts';
import type { LogHeader } from './entry.ts';

/** Who asks for pieces is taken for a watcher for so long. */
const WATCH_MS = 30_000;

interface Streamed {
  key: string;
  /** JSON texts. */
  pieces: string[];
}

/**
 * Pieces of streamed text, in memory: the process that has the store open is the only one that can ask for
 * them, and a step that ended with its process won't be gone on with.
 */
export class Deltas {
  readonly #clock: Clock;
  readonly #streamed = new Map<string, Streamed>();
  readonly #watchedUntil = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether somebody watches. */
  add({ agentId, key }: LogHeader, piece: string): boolean {
    const streamed = this.#of(agentId, key);
    if (streamed) streamed.pieces.push(piece);
    else this.#streamed.set(agentId, { key, pieces: [piece] });
    return this.isWatched(agentId);
  }

  load({ agentId, key }: LogHeader): Delta[] {
    this.#watchedUntil.set(agentId, this.#clock.monotonic() + WATCH_MS);
    return (this.#of(agentId, key)?.pieces ?? []).map((piece) => JSON.parse(piece) as Delta);
  }

  isWatched(agentId: string): boolean {
    const until = this.#watchedUntil.get(agentId);
    if (until === undefined) return false;
    if (until > this.#clock.monotonic()) return true;
    this.#watchedUntil.delete(agentId);
    return false;
  }

  /** The step has ended. */
  drop(agentId: string): void {
    this.#streamed.delete(agentId);
  }

  /** Those of an agent that had the id before are none of this one's. */
  #of(agentId: string, key: string): Streamed | undefined {
    const streamed = this.#streamed.get(agentId);
    if (streamed?.key === key) return streamed;
    this.#streamed.delete(agentId);
    return undefined;
  }
}
