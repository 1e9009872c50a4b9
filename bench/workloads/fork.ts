import type { Ground } from '../ground.ts';
import { interleave, timed } from '../measure.ts';
import { atMost, counted, type Measurement } from '../result.ts';
import { type Bench, type Bounds, build, type Workload } from '../workload.ts';

const LENGTH_BOUNDS: Bounds = { sqlite: atMost(1.2), postgres: atMost(1.2) };
const TIME_BOUNDS: Bounds = { sqlite: atMost(20), postgres: atMost(20) };
const SIZE_BOUNDS: Bounds = { sqlite: atMost(130_000), postgres: atMost(200_000) };

/** What a fork or a snapshot costs must not depend on the history that it shares. */
export const fork: Workload = {
  name: 'fork',
  title: 'Fork and snapshot of a long conversation, against those of a short one',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const ground = await bench.open();
    const { store } = ground;
    const long = bench.size(10_000, 200);
    await build(ground, 'long', bench.turns, long);
    await build(ground, 'short', bench.turns, 10);
    const bound = LENGTH_BOUNDS[bench.backend];
    const effort = bench.effort(100);
    yield timed(
      { what: `fork at ${long} messages`, to: 'fork at 10', bound },
      await interleave({ run: () => store.fork('long') }, { run: () => store.fork('short') }, effort),
    );
    let snapshots = 0;
    const snapshot = (agentId: string) => ({
      run: () => store.saveSnapshot(agentId, { id: `s-${snapshots++}` }),
    });
    yield timed(
      { what: `snapshot at ${long} messages`, to: 'snapshot at 10', bound },
      await interleave(snapshot('long'), snapshot('short'), effort),
    );
    if (bench.backend === 'postgres') yield* roundTrips(bench);
  },
};

async function* roundTrips(bench: Bench): AsyncGenerator<Measurement> {
  const ground = await bench.open({ counted: true });
  await build(ground, 'agent', bench.turns, bench.size(1_000, 50));
  // The first fork takes a block of keys and prepares statements.
  await ground.store.fork('agent');
  const fork = await tripsOf(ground, () => ground.store.fork('agent'));
  yield counted('round trips of a fork', fork, atMost(1));
  await ground.store.saveSnapshot('agent', { id: 'first' });
  const snapshot = await tripsOf(ground, () => ground.store.saveSnapshot('agent', { id: 'second' }));
  yield counted('round trips of a snapshot', snapshot, atMost(1));
}

async function tripsOf({ inspect }: Ground, work: () => Promise<unknown>): Promise<number> {
  const before = inspect.requests();
  await work();
  return inspect.requests() - before;
}

const FORKS = 100;

export const batchFork: Workload = {
  name: 'batch-fork',
  title: 'batchFork(100) of 1,000 messages and 250 bytes of metadata',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const ground = await bench.open();
    const store = ground.extended();
    await build(ground, 'agent', bench.turns, bench.size(1_000, 50));
    await build(ground, 'other', bench.turns, bench.size(1_000, 50));
    const forks = bench.size(FORKS, 5);
    let turn = bench.turns.nextWithCall();
    const repetitions = await interleave(
      { run: () => store.batchFork('agent', forks) },
      {
        before: () => {
          turn = bench.turns.nextWithCall();
        },
        run: () => store.commit('other', turn),
      },
      bench.effort(15),
    );
    yield timed(
      { what: `${forks} forks`, to: 'one turn commit', bound: TIME_BOUNDS[bench.backend] },
      repetitions,
    );
    yield await bytesAdded(bench, forks);
    if (bench.backend === 'postgres') yield await tripsOfBatch(bench, forks);
  },
};

/** Pages are filled by several calls, so that their size doesn't matter. */
async function bytesAdded(bench: Bench, forks: number): Promise<Measurement> {
  const ground = await bench.open();
  await build(ground, 'agent', bench.turns, bench.size(1_000, 50));
  const times = bench.size(20, 2);
  await ground.extended().batchFork('agent', forks);
  const before = await ground.inspect.size();
  for (let i = 0; i < times; i += 1) await ground.extended().batchFork('agent', forks);
  const added = Math.round(((await ground.inspect.size()) - before) / times);
  return counted(`bytes added by ${forks} forks`, added, SIZE_BOUNDS[bench.backend], 'bytes');
}

async function tripsOfBatch(bench: Bench, forks: number): Promise<Measurement> {
  const ground = await bench.open({ counted: true });
  await build(ground, 'agent', bench.turns, 10);
  await ground.store.fork('agent');
  const trips = await tripsOf(ground, () => ground.extended().batchFork('agent', forks));
  return counted(`round trips of ${forks} forks`, trips);
}
