import { Generator } from './generator.ts';
import type { Ground, GroundOptions, Target } from './ground.ts';
import type { Effort } from './measure.ts';
import type { Measurement } from './result.ts';
import { Transcripts } from './transcripts.ts';
import type { TurnSource } from './turns.ts';
import type { Bench, Workload } from './workload.ts';

const SEED = 20_251_122;
const REPETITIONS = 3;
const QUICK_ROUNDS = 3;

export interface RunOptions {
  quick: boolean;
  transcripts: string | undefined;
}

/** Runs one workload on one backend, and clears up behind it. */
export async function* runWorkload(
  workload: Workload,
  target: Target,
  options: RunOptions,
): AsyncGenerator<Measurement> {
  const { quick } = options;
  const grounds: Ground[] = [];
  const bench: Bench = {
    backend: target.name,
    quick,
    turns: await openSource(options),
    async open(groundOptions?: GroundOptions) {
      const ground = await target.open(groundOptions);
      grounds.push(ground);
      return ground;
    },
    fleet: (agents) => target.fleet(agents),
    size: (full, small) => (quick ? small : full),
    effort: (rounds): Effort =>
      quick
        ? { rounds: QUICK_ROUNDS, repetitions: 1, warmUp: 1 }
        : { rounds, repetitions: REPETITIONS, warmUp: Math.ceil(rounds / 10) },
  };
  try {
    yield* workload.run(bench);
  } finally {
    for (const ground of grounds) await ground.close();
  }
}

/** From the beginning for every workload, so that each measures the same whatever runs before it. */
async function openSource({ transcripts }: RunOptions): Promise<TurnSource> {
  return transcripts === undefined ? new Generator(SEED) : Transcripts.read(transcripts);
}
