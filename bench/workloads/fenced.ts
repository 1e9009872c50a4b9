import { interleave, timed } from '../measure.ts';
import { atMost, counted, exactly, type Measurement } from '../result.ts';
import { type Bench, type Bounds, build, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atMost(1.15), postgres: atMost(1.15) };

/** What do the guarantees cost on top? */
export const fencedCommit: Workload = {
  name: 'fenced-commit',
  title: 'Turn commit with expectedVersion, lease and operationId, against one without them',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const ground = await bench.open();
    const { store } = ground;
    for (const agentId of ['plain', 'fenced']) {
      await build(ground, agentId, bench.turns, bench.size(1_000, 50));
    }
    const commit = await fenced(store, 'fenced');
    let turn = bench.turns.nextWithCall();
    // Each side has a turn that nobody has looked at yet: the second look at the same one is faster.
    const before = () => {
      turn = bench.turns.nextWithCall();
    };
    const repetitions = await interleave(
      { before, run: () => commit(turn) },
      { before, run: () => store.commit('plain', turn) },
      bench.effort(300),
    );
    yield timed({ what: 'fenced commit', to: 'plain commit', bound: BOUNDS[bench.backend] }, repetitions);
    if (bench.backend === 'postgres') yield await roundTrips(bench);
  },
};

type Commit = (turn: ReturnType<Bench['turns']['next']>) => Promise<void>;

async function fenced(store: Awaited<ReturnType<Bench['open']>>['store'], agentId: string): Promise<Commit> {
  const lease = await store.acquireAgentLock(agentId, { ttlMs: 600_000 });
  let version = (await store.loadInfo(agentId))?.version ?? 0;
  return async (turn) => {
    const operationId = `operation-${version}`;
    const result = await store.commit(agentId, { ...turn, expectedVersion: version, lease, operationId });
    version = result.version;
  };
}

async function roundTrips(bench: Bench): Promise<Measurement> {
  const ground = await bench.open({ counted: true });
  await build(ground, 'agent', bench.turns, 10);
  const commit = await fenced(ground.store, 'agent');
  let most = 0;
  for (let i = 0; i < 20; i += 1) {
    const before = ground.inspect.requests();
    await commit(bench.turns.nextWithCall());
    most = Math.max(most, ground.inspect.requests() - before);
  }
  return counted('round trips of a fenced commit', most, exactly(1));
}
