import type { NewEvent } from '../../src/model/agent.ts';
import { interleave, throughput, timed } from '../measure.ts';
import { atLeast, atMost } from '../result.ts';
import { type Bounds, METADATA, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atLeast(0.5), postgres: atLeast(0.5) };
const READ_BOUNDS: Bounds = { sqlite: atMost(2), postgres: atMost(2), json: atMost(3) };
/** Of the bare driver: one transaction, or one statement, for each. */
const BATCH = 1_000;

/** Each was a row of its own: they were awaited one at a time. */
export const readEvents: Workload = {
  name: 'read-events',
  title: 'Reading back events that were awaited one at a time, against a bare select and JSON.parse',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const { store, raw } = await bench.open({ durability: 'normal' });
    await store.saveInfo('agent', { metadata: METADATA });
    const agent = await raw.create(METADATA);
    const count = bench.size(10_000, 100);
    for (let n = 0; n < count; n += 1) {
      const event: NewEvent = { channel: 'progress', type: 'text', text: 'as it comes, word by word', n };
      await store.appendEvent('agent', event);
      await raw.append(agent, [event]);
    }
    const repetitions = await interleave(
      {
        run: async () => {
          for await (const _ of store.readEvents('agent'));
        },
      },
      { run: () => raw.events(agent) },
      bench.effort(20),
    );
    yield timed(
      { what: `${count} events`, to: 'bare driver', bound: READ_BOUNDS[bench.backend] },
      repetitions,
    );
  },
};

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
