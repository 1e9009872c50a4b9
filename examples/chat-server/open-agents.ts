import { setTimeout as pause } from 'node:timers/promises';
import {
  Agent,
  type AgentLease,
  type AgentStreamPart,
  type AgentTemplate,
  type ExtendedStore,
  type LanguageModel,
  LeaseNotHeldError,
} from '../../src/index.ts';

export interface OpenAgentsOptions {
  store: ExtendedStore;
  provider: LanguageModel;
  template: AgentTemplate;
  /** How long an agent that nobody uses stays open. */
  idleMs: number;
}

interface OpenAgent {
  agent: Promise<Agent>;
  turns: number;
  timer?: NodeJS.Timeout;
}

/** Where another server has just given an agent back, or is about to. */
const WAIT_MS = 2_000;

/**
 * The agents that this server has in use. Each is open, and its lease held, while it runs a turn and for a
 * while after that, so that the next message finds it loaded; then another server may have it.
 */
export class OpenAgents {
  readonly #options: OpenAgentsOptions;
  readonly #open = new Map<string, OpenAgent>();
  readonly #turns = new Set<Promise<void>>();

  constructor(options: OpenAgentsOptions) {
    this.#options = options;
  }

  async create(agentId: string | undefined, metadata: Record<string, unknown>): Promise<string> {
    const { store, provider, template } = this.#options;
    const agent = await Agent.create({ store, provider, template, metadata, ...(agentId && { agentId }) });
    this.#keep(agent.agentId, Promise.resolve(agent));
    return agent.agentId;
  }

  /**
   * Begins a turn. Resolves when its first part is there, to nothing when there was nothing to do, and
   * rejects when it can't begin. The turn goes on whether or not its parts are read.
   */
  async begin(
    agentId: string,
    turn: (agent: Agent) => AsyncIterable<AgentStreamPart>,
    lease?: AgentLease,
  ): Promise<AsyncIterable<AgentStreamPart> | undefined> {
    const open = this.#get(agentId, lease);
    const [ours, theirs] = ReadableStream.from(turn(await open.agent)).tee();
    this.#follow(agentId, open, ours);
    const reader = theirs.getReader();
    const first = await reader.read();
    return first.done ? undefined : rest(first.value, reader);
  }

  /** Goes on with turns whose server died, and with those whose approvals somebody else has decided. */
  async pickUp(): Promise<void> {
    const leases = await this.#options.store.claimResumable({ limit: 10 });
    await Promise.all(leases.map((lease) => this.#goOn(lease)));
  }

  /** Lets turns end, for a while, then interrupts them, and gives all leases back. */
  async close(graceMs: number): Promise<void> {
    await Promise.race([Promise.all(this.#turns), pause(graceMs, undefined, { ref: false })]);
    await Promise.all([...this.#open].map(([agentId, open]) => this.#release(agentId, open)));
    await Promise.all(this.#turns);
  }

  async #goOn(lease: AgentLease): Promise<void> {
    const { agentId } = lease;
    if (this.#open.has(agentId)) return lease.release();
    try {
      await this.begin(agentId, (agent) => agent.stream(), lease);
    } catch (error) {
      console.error(`Agent ${agentId} can't go on:`, error);
      const open = this.#open.get(agentId);
      if (open !== undefined) await this.#release(agentId, open);
      await lease.release();
    }
  }

  #get(agentId: string, lease?: AgentLease): OpenAgent {
    const open = this.#open.get(agentId);
    if (open !== undefined) return open;
    const { store, provider, template } = this.#options;
    const options = { store, provider, template, waitMs: WAIT_MS, ...(lease && { lease }) };
    return this.#keep(agentId, Agent.resume(agentId, options));
  }

  #keep(agentId: string, agent: Promise<Agent>): OpenAgent {
    const open: OpenAgent = { agent, turns: 0 };
    this.#open.set(agentId, open);
    agent.then(
      () => this.#rest(agentId, open),
      () => this.#release(agentId, open),
    );
    return open;
  }

  #follow(agentId: string, open: OpenAgent, parts: ReadableStream<AgentStreamPart>): void {
    open.turns += 1;
    clearTimeout(open.timer);
    const ended = parts
      .pipeTo(new WritableStream())
      // Who reads the parts is told. An agent that lost its lease is of no more use.
      .catch((error: unknown) =>
        error instanceof LeaseNotHeldError ? this.#release(agentId, open) : undefined,
      )
      .then(() => {
        open.turns -= 1;
        this.#rest(agentId, open);
        this.#turns.delete(ended);
      });
    this.#turns.add(ended);
  }

  #rest(agentId: string, open: OpenAgent): void {
    clearTimeout(open.timer);
    if (open.turns > 0 || this.#open.get(agentId) !== open) return;
    open.timer = setTimeout(() => void this.#release(agentId, open), this.#options.idleMs);
  }

  async #release(agentId: string, open: OpenAgent): Promise<void> {
    clearTimeout(open.timer);
    if (this.#open.get(agentId) === open) this.#open.delete(agentId);
    await open.agent.then((agent) => agent.close()).catch(() => undefined);
  }
}

async function* rest<T>(first: T, reader: ReadableStreamDefaultReader<T>): AsyncGenerator<T, undefined> {
  try {
    yield first;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
