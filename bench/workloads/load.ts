import { interleave, timed } from '../measure.ts';
import { atMost } from '../result.ts';
import { type Bounds, buildBoth, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atMost(1.3), postgres: atMost(1.3) };

export const load: Workload = {
  name: 'load',
  title: 'Loading a conversation, against a bare select and JSON.parse',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const ground = await bench.open();
    for (const [full, quick, rounds] of [
      [1_000, 50, 60],
      [10_000, 200, 12],
    ] as const) {
      const length = bench.size(full, quick);
      const agentId = `of-${length}`;
      const agent = await buildBoth(ground, agentId, bench.turns, length);
      const repetitions = await interleave(
        { run: () => ground.store.loadMessages(agentId) },
        { run: () => ground.raw.load(agent) },
        bench.effort(rounds),
      );
      const what = `${length} messages`;
      yield timed({ what, to: 'bare driver', bound: BOUNDS[bench.backend] }, repetitions);
    }
  },
};
