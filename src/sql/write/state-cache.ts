import type { AgentState } from '../agent-state.ts';

export const MAX_AGENTS = 10_000;

/** The states of the agents written last. What is in it may be outdated: the head's revision tells. */
export class StateCache {
  readonly #states = new Map<string, AgentState>();

  get(agentId: string): AgentState | undefined {
    return this.#states.get(agentId);
  }

  set(agentId: string, state: AgentState): void {
    this.#states.delete(agentId);
    this.#states.set(agentId, state);
    if (this.#states.size <= MAX_AGENTS) return;
    for (const oldest of this.#states.keys()) {
      this.#states.delete(oldest);
      break;
    }
  }

  /** Events give out instants too: what is committed next isn't older. */
  noteInstant(agentId: string, at: number): void {
    const state = this.#states.get(agentId);
    if (state && state.head.lastAt < at) state.head.lastAt = at;
  }

  noteDelta(agentId: string): void {
    const state = this.#states.get(agentId);
    if (state) state.head.hasDeltas = true;
  }

  delete(agentId: string): void {
    this.#states.delete(agentId);
  }
}
