import type { Fleet } from '../fleet/fleet.ts';
import { draw, FLEET_QUERIES, type FleetQuery } from '../fleet/queries.ts';
import { mulberry32 } from '../generator.ts';
import { type Effort, interleave, slowest, type Timings, timed } from '../measure.ts';
import { atMost } from '../result.ts';
import type { Bench, Workload } from '../workload.ts';

const SEED = 7;
const AGENTS = 10_000;
const SMALL = 100;
const ROUNDS = 200;

export const queries: Workload = {
  name: 'queries',
  title: 'Queries over a million messages, against an indexed select of the same rows by the bare driver',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const fleet = await bench.fleet(bench.size(AGENTS, 20));
    for (const query of FLEET_QUERIES) {
      await mustAgree(fleet, query);
      const repetitions = slowest(await againstRaw(fleet, query, bench.effort(ROUNDS)));
      yield timed({ what: `${query.what}, p95`, to: 'bare driver', bound: atMost(2) }, repetitions);
    }
  },
};

/** A comparison of different rows would say nothing. */
async function mustAgree(fleet: Fleet, query: FleetQuery): Promise<void> {
  const random = mulberry32(SEED);
  for (let i = 0; i < 10; i += 1) {
    const one = draw(fleet.agents, random);
    const [ours, raw] = [await query.ours(fleet.store, one), await query.raw(fleet.raw, one)];
    if (ours.length === raw.length && ours.length > 0) continue;
    throw new Error(`${query.what}: ${ours.length} rows by the store, ${raw.length} by the bare driver.`);
  }
}

function againstRaw(fleet: Fleet, query: FleetQuery, effort: Effort): Promise<Timings[]> {
  const random = mulberry32(SEED);
  let one = draw(fleet.agents, random);
  return interleave(
    {
      before: () => {
        one = draw(fleet.agents, random);
      },
      run: () => query.ours(fleet.store, one),
    },
    { run: () => query.raw(fleet.raw, one) },
    effort,
  );
}

/** What a query costs depends on what it returns, not on what there is. */
export const queryScaling: Workload = {
  name: 'query-scaling',
  title: 'The same queries over a million messages, against ten thousand',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const large = await bench.fleet(bench.size(AGENTS, 20));
    const small = await bench.fleet(bench.size(SMALL, 10));
    const effort = bench.effort(ROUNDS);
    for (const query of FLEET_QUERIES) {
      const repetitions = await betweenSizes(large, small, effort, (fleet, one) =>
        query.ours(fleet.store, one),
      );
      const to = `${small.agents} agents`;
      yield timed({ what: query.what, to, bound: atMost(1.5) }, repetitions);
      const floor = await betweenSizes(large, small, { ...effort, repetitions: 1 }, (fleet, one) =>
        query.raw(fleet.raw, one),
      );
      yield timed({ what: `${query.what}, bare driver`, to }, floor);
    }
    yield* sizes(bench);
  },
};

function betweenSizes(
  large: Fleet,
  small: Fleet,
  effort: Effort,
  query: (fleet: Fleet, one: ReturnType<typeof draw>) => Promise<unknown>,
): Promise<Timings[]> {
  const random = mulberry32(SEED);
  const side = (fleet: Fleet) => {
    let one = draw(fleet.agents, random);
    return {
      before: () => {
        one = draw(fleet.agents, random);
      },
      run: () => query(fleet, one),
    };
  };
  return interleave(side(large), side(small), effort);
}

/** A line each in the plot; more would hide each other. */
const PLOTTED = ['sessions by template and time', 'messages by role and time', 'failed calls of a tool'];

async function* sizes(bench: Bench) {
  for (const agents of bench.quick ? [10, 20] : [SMALL, 1_000, AGENTS]) {
    const fleet = await bench.fleet(agents);
    for (const query of FLEET_QUERIES.filter(({ what }) => PLOTTED.includes(what))) {
      const [best] = await againstRaw(fleet, query, { ...bench.effort(ROUNDS), repetitions: 1 });
      if (!best) continue;
      const at = { kind: 'point', plot: 'query-size', x: agents * 100 } as const;
      yield { ...at, series: `${bench.backend}, ${query.what}`, y: best.ours.median };
    }
  }
}
