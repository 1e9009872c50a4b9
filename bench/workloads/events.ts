import type { NewEvent } from '../../src/model/agent.ts';
import { interleave, throughput } from '../measure.ts';
import { atLeast } from '../result.ts';
import { type Bounds, METADATA, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atLeast(0.5), postgres: atLeast(0.5) };
/** Of the bare driver: one transaction, or one statement, for each. */
const BATCH = 1_000;

export const events: Workload = {
  name: 'events',
  title: 'Events appended without waiting for each, against batched inserts by the bare driver',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const { store, raw } = await bench.open();
    await store.saveInfo('agent', { metadata: METADATA });
    const agent = await raw.create(METADATA);
    const count = bench.size(10_000, 200);
    const given: NewEvent[] = [];
    while (given.length < count) given.push(...bench.turns.next().events);
    const repetitions = await interleave(
      { run: () => Promise.all(given.map((event) => store.appendEvent('agent', event))) },
      {
        run: async () => {
          for (let i = 0; i < count; i += BATCH) await raw.append(agent, given.slice(i, i + BATCH));
        },
      },
      bench.effort(8),
    );
    const what = `${count} events`;
    yield throughput({ what, to: 'bare driver', bound: BOUNDS[bench.backend] }, count, repetitions);
  },
};
