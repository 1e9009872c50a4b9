import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FleetPlace } from '../fleet/fleet.ts';
import type { Iterated } from '../fleet/iterate-child.ts';
import { ALL_MESSAGES, ALL_MESSAGES_AS_STORED, asMessage } from '../fleet/queries.ts';
import { interleave, throughput } from '../measure.ts';
import { atLeast, atMost, counted } from '../result.ts';
import type { Workload } from '../workload.ts';

const AGENTS = 10_000;
const CHILD = fileURLToPath(new URL('../fleet/iterate-child.ts', import.meta.url));

export const iterate: Workload = {
  name: 'iterate',
  title: 'Iterating a million messages, against a cursor of the bare driver',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const fleet = await bench.fleet(bench.size(AGENTS, 20));
    const { rows, grown } = await iterateInChild('store', fleet.place);
    const bareCursor = await iterateInChild('raw', fleet.place);
    yield counted(`memory over the start, ${rows} messages`, grown, atMost(64 * 2 ** 20), 'bytes');
    yield counted('the same of a bare cursor', bareCursor.grown, undefined, 'bytes');
    const ours = {
      run: async () => {
        let last: unknown;
        for await (const message of fleet.store.iterateMessages()) last = message;
        return last;
      },
    };
    const cursor = (text: string) => ({
      run: async () => {
        let last: unknown;
        for await (const page of fleet.raw.cursor(text)) for (const row of page) last = asMessage(row);
        return last;
      },
    });
    const effort = { ...bench.effort(1), warmUp: 0 };
    const ordered = await interleave(ours, cursor(ALL_MESSAGES), effort);
    const bound = atLeast(0.6);
    yield throughput({ what: 'messages per second', to: 'cursor in the same order', bound }, rows, ordered);
    const stored = await interleave(ours, cursor(ALL_MESSAGES_AS_STORED), { ...effort, repetitions: 1 });
    yield throughput({ what: 'messages per second', to: 'cursor without an order' }, rows, stored);
  },
};

async function iterateInChild(side: 'store' | 'raw', place: FleetPlace): Promise<Iterated> {
  const args = ['--expose-gc', '--import', 'tsx', CHILD, side, JSON.stringify(place)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Iterated;
}
