import type { ForkPoint } from './entry.ts';
import type { LogReader } from './load.ts';
import type { AgentState } from './state.ts';

/** Of so many deleted agents it is remembered which forks began in their logs. */
const MAX_ANCESTORS = 64;
const MAX_GONE = 100_000;

export interface Dependents {
  cuts: ForkPoint[];
  /** Keys of their logs. */
  keys: Set<string>;
}

/** Which of the forks that began in a log are still there. What is found out is remembered. */
export class ForkIndex {
  readonly #reader: LogReader;
  /** Keys of logs that are gone; keys are never given out twice. */
  readonly #gone = new Set<string>();
  readonly #ancestors = new Map<string, AgentState['forks']>();

  constructor(reader: LogReader) {
    this.#reader = reader;
  }

  async living(forks: AgentState['forks']): Promise<Dependents> {
    const dependents: Dependents = { cuts: [], keys: new Set() };
    for (const [key, agentId] of forks) {
      const cut = await this.#cut(agentId, key);
      if (!cut) continue;
      dependents.cuts.push(cut);
      dependents.keys.add(key);
    }
    return dependents;
  }

  /** What began in the log of an agent that is deleted: it can't become more. */
  remember(key: string, forks: AgentState['forks']): void {
    this.#ancestors.delete(key);
    this.#ancestors.set(key, forks);
    for (const oldest of this.#ancestors.keys()) {
      if (this.#ancestors.size <= MAX_ANCESTORS) break;
      this.#ancestors.delete(oldest);
    }
  }

  /** Whether some fork is known to need of that log all that this one needed: then nothing can be freed. */
  async isCovered(key: string, freed: ForkPoint): Promise<boolean> {
    for (const [fork, agentId] of this.#ancestors.get(key) ?? []) {
      const cut = await this.#cut(agentId, fork);
      if (cut && covers(cut, freed)) return true;
    }
    return false;
  }

  async #cut(agentId: string, key: string): Promise<ForkPoint | undefined> {
    if (this.#gone.has(key)) return undefined;
    const header = await this.#reader.header(agentId, key);
    if (header?.base && !header.base.unused) return header.base;
    if (this.#gone.size >= MAX_GONE) this.#gone.clear();
    this.#gone.add(key);
    return undefined;
  }
}

function covers(cut: ForkPoint, freed: ForkPoint): boolean {
  return (
    cut.n === freed.n &&
    cut.snapshot === freed.snapshot &&
    cut.position >= freed.position &&
    cut.need >= freed.need &&
    (cut.whole || !freed.whole)
  );
}
