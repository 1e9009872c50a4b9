import type { Fleet } from './fleet.ts';

/** Each size once, however many workloads ask for it. */
export class Fleets {
  readonly #openFleet: (agents: number) => Promise<Fleet>;
  readonly #open = new Map<number, Promise<Fleet>>();

  constructor(openFleet: (agents: number) => Promise<Fleet>) {
    this.#openFleet = openFleet;
  }

  open(agents: number): Promise<Fleet> {
    const known = this.#open.get(agents) ?? this.#openFleet(agents);
    this.#open.set(agents, known);
    return known;
  }

  async close(): Promise<void> {
    for (const fleet of this.#open.values()) await (await fleet).close();
  }
}
