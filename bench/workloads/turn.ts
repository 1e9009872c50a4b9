import { interleave, timed } from '../measure.ts';
import { atMost, counted, exactly, type Measurement } from '../result.ts';
import { type Bench, type Bounds, build, buildBoth, type Workload } from '../workload.ts';

const LONG = 10_000;
const SHORT = 10;

const LENGTH_BOUNDS: Bounds = { sqlite: atMost(1.15), postgres: atMost(1.15) };
const RAW_BOUNDS: Bounds = { sqlite: atMost(1.6), postgres: atMost(1.5) };

/** Does a turn cost the same whatever came before it? */
export const turnLength: Workload = {
  name: 'turn-length',
  title: 'Turn commit in a long conversation, against the same in a short one',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const ground = await bench.open();
    const long = bench.size(LONG, 200);
    await build(ground, 'long', bench.turns, long);
    let turn = bench.turns.nextWithCall();
    let count = 0;
    // Both sides come after the same work: an agent that was written to a moment ago.
    const before = async () => {
      turn = bench.turns.nextWithCall();
      count += 1;
      await build(ground, `short-${count}`, bench.turns, SHORT);
    };
    const repetitions = await interleave(
      { before, run: () => ground.store.commit('long', turn) },
      { before, run: () => ground.store.commit(`short-${count}`, turn) },
      bench.effort(200),
    );
    yield timed(
      { what: `at ${long} messages`, to: `at ${SHORT}`, bound: LENGTH_BOUNDS[bench.backend] },
      repetitions,
    );
    yield* lengths(bench);
  },
};

/** The shape: cost at several lengths, for the plot. */
async function* lengths(bench: Bench): AsyncGenerator<Measurement> {
  const ground = await bench.open();
  for (const length of bench.quick ? [10, 50] : [10, 100, 1_000, 3_000, 10_000]) {
    const agent = await buildBoth(ground, `at-${length}`, bench.turns, length);
    let turn = bench.turns.nextWithCall();
    const [best] = await interleave(
      {
        before: () => {
          turn = bench.turns.nextWithCall();
        },
        run: () => ground.store.commit(`at-${length}`, turn),
      },
      { run: () => ground.raw.commit(agent, turn) },
      { ...bench.effort(Math.min(60, length)), repetitions: 1 },
    );
    if (!best) continue;
    const at = { kind: 'point', plot: 'turn-length', x: length } as const;
    yield { ...at, series: `${bench.backend}, store`, y: best.ours.median };
    yield { ...at, series: `${bench.backend}, bare driver`, y: best.reference.median };
  }
}

/** What does the store add to the bare driver? */
export const turnCommit: Workload = {
  name: 'turn-commit',
  title: 'Turn commit, against the bare driver writing the same rows in one transaction',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    yield* turnsAgainstRaw(bench, 'full', RAW_BOUNDS);
    if (bench.backend === 'sqlite') yield* turnsAgainstRaw(bench, 'normal', {});
    if (bench.backend === 'postgres') yield await tripsOfACommit(bench);
  },
};

async function* turnsAgainstRaw(
  bench: Bench,
  durability: 'full' | 'normal',
  bounds: Bounds,
): AsyncGenerator<Measurement> {
  const ground = await bench.open({ durability });
  const agent = await buildBoth(ground, 'agent', bench.turns, bench.size(1_000, 50));
  let turn = bench.turns.nextWithCall();
  // Each side has a turn that nobody has looked at yet: the second look at the same one is faster.
  const before = () => {
    turn = bench.turns.nextWithCall();
  };
  const repetitions = await interleave(
    { before, run: () => ground.store.commit('agent', turn) },
    { before, run: () => ground.raw.commit(agent, turn) },
    bench.effort(300),
  );
  const what = durability === 'full' ? 'one turn' : `one turn, durability ${durability}`;
  yield timed({ what, to: 'bare driver', bound: bounds[bench.backend] }, repetitions);
}

async function tripsOfACommit(bench: Bench): Promise<Measurement> {
  const ground = await bench.open({ counted: true });
  await build(ground, 'agent', bench.turns, 10);
  let most = 0;
  for (let i = 0; i < 20; i += 1) {
    const before = ground.inspect.requests();
    await ground.store.commit('agent', bench.turns.nextWithCall());
    most = Math.max(most, ground.inspect.requests() - before);
  }
  return counted('round trips of a commit', most, exactly(1));
}
