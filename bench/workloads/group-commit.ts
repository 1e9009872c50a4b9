import { interleave, throughput } from '../measure.ts';
import type { RawAgent } from '../raw/raw.ts';
import { atLeast, counted, type Measurement } from '../result.ts';
import type { Turn } from '../turns.ts';
import { type Bench, build, METADATA, type Workload } from '../workload.ts';

const AGENTS = 64;

/** Agents that commit at the same moment share what is dear: a sync of the disk, a pool of connections. */
export const groupCommit: Workload = {
  name: 'group-commit',
  title: '64 agents that commit at once',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    if (bench.backend === 'sqlite') yield await commitsPerSync(bench);
    const bound = bench.backend === 'postgres' ? atLeast(0.6) : undefined;
    for (const agents of bench.quick ? [4] : [1, 4, 16, AGENTS]) {
      yield* concurrently(bench, agents, agents === AGENTS ? bound : undefined);
    }
  },
};

async function commitsPerSync(bench: Bench): Promise<Measurement> {
  const ground = await bench.open();
  const ids = Array.from({ length: AGENTS }, (_, i) => `agent-${i}`);
  for (const id of ids) await build(ground, id, bench.turns, 10);
  const rounds = bench.size(10, 2);
  const before = await ground.inspect.commits();
  await Promise.all(
    ids.map(async (id) => {
      for (let i = 0; i < rounds; i += 1) await ground.store.commit(id, bench.turns.nextWithCall());
    }),
  );
  const syncs = (await ground.inspect.commits()) - before;
  return counted('commits per sync', (AGENTS * rounds) / syncs, atLeast(8));
}

/** Each agent commits one turn after the other, all of them at the same time. */
async function* concurrently(
  bench: Bench,
  count: number,
  bound: ReturnType<typeof atLeast> | undefined,
): AsyncGenerator<Measurement> {
  const ground = await bench.open();
  const turnsEach = bench.size(Math.max(4, AGENTS / count), 2);
  const agents: RawAgent[] = [];
  for (let i = 0; i < count; i += 1) {
    await build(ground, `agent-${i}`, bench.turns, 10);
    agents.push(await ground.raw.create(METADATA));
  }
  let turns: Turn[][] = [];
  const everyone = (commit: (i: number, turn: Turn) => Promise<unknown> | unknown) =>
    Promise.all(
      turns.map(async (own, i) => {
        for (const turn of own) await commit(i, turn);
      }),
    );
  const repetitions = await interleave(
    {
      before: () => {
        turns = agents.map(() => Array.from({ length: turnsEach }, () => bench.turns.nextWithCall()));
      },
      run: () => everyone((i, turn) => ground.store.commit(`agent-${i}`, turn)),
    },
    {
      run: () =>
        everyone((i, turn) => {
          const agent = agents[i];
          if (agent) return ground.raw.commit(agent, turn);
        }),
    },
    bench.effort(12),
  );
  const row = throughput(
    { what: `${count} agents, turns per second`, to: 'bare driver', bound },
    count * turnsEach,
    repetitions,
  );
  yield row;
  const at = { kind: 'point', plot: 'concurrency', x: count } as const;
  yield { ...at, series: `${bench.backend}, store`, y: row.ours.median };
  yield { ...at, series: `${bench.backend}, bare driver`, y: row.reference?.median ?? 0 };
}
