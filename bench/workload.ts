import type { Fleet } from './fleet/fleet.ts';
import type { Ground, GroundOptions } from './ground.ts';
import type { Effort } from './measure.ts';
import type { RawAgent } from './raw/raw.ts';
import type { BackendName, Bound, Measurement } from './result.ts';
import { join, type Turn, type TurnSource, turnsOf } from './turns.ts';

/** One thing that is measured: a row of the table of what the store must reach, or a few that belong together. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly backends: readonly BackendName[];
  run(bench: Bench): AsyncIterable<Measurement>;
}

/** What a workload bounds a figure to, on each backend. */
export type Bounds = Partial<Record<BackendName, Bound>>;

/** What a workload works with. */
export interface Bench {
  readonly backend: BackendName;
  /** A smoke test: small sizes, few repetitions, and nobody looks at the figures. */
  readonly quick: boolean;
  readonly turns: TurnSource;
  /** Closed when the workload ends. */
  open(options?: GroundOptions): Promise<Ground>;
  /** Many agents, shared by the workloads: leave it as it was. */
  fleet(agents: number): Promise<Fleet>;
  size(full: number, quick: number): number;
  effort(rounds: number): Effort;
}

/** 250 bytes as JSON. */
export const METADATA = {
  tier: 'gold',
  customer: { id: 'c-481516', country: 'NO', locale: 'nb-NO' },
  channel: 'web',
  experiment: 'long-answers',
  notes:
    'prefers the aisle, travels with a bike, and calls after six in the evening; asked twice for an invoice by post.',
};

/** Turns in one commit, where a conversation is made that isn't measured itself. */
const CHUNK = 200;

/** An agent with so many messages, written by few commits. */
export async function build(
  { store }: Pick<Ground, 'store'>,
  agentId: string,
  source: TurnSource,
  messages: number,
  eachTurn?: (turn: Turn) => Promise<void> | void,
): Promise<void> {
  await store.saveInfo(agentId, { templateId: 'assistant', userId: 'user-1', metadata: METADATA });
  const turns = turnsOf(source, messages);
  const chunk = source.repeatsIds ? 1 : CHUNK;
  for (let done = 0; done < turns.length; done += chunk) {
    await store.commit(agentId, join(turns.slice(done, done + chunk)));
  }
  if (eachTurn) for (const turn of turns) await eachTurn(turn);
}

/** The same conversation in the store and, by the bare driver, beside it. */
export async function buildBoth(
  ground: Ground,
  agentId: string,
  source: TurnSource,
  messages: number,
): Promise<RawAgent> {
  const agent = await ground.raw.create(METADATA);
  await build(ground, agentId, source, messages, (turn) => ground.raw.commit(agent, turn));
  return agent;
}
