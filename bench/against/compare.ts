import { summarise } from '../measure.ts';
import type { BackendName } from '../result.ts';
import type { Counts } from './counts.ts';
import type { Side } from './side.ts';
import { AGAINST } from './workloads.ts';

/** Pairs of rounds, alternating who is first. */
const ROUNDS = 9;
const QUICK_ROUNDS = 2;

export function roundsOf(quick: boolean): number {
  return quick ? QUICK_ROUNDS : ROUNDS;
}
/** The median of so many, because others write to a server's log too. */
const COUNTED_ROUNDS = 3;

export interface Compared {
  workload: string;
  backend: BackendName;
  /** Of our time to the other's, of each pair: their median and how far they lie apart. */
  ratio: { median: number; least: number; most: number };
  ours: Counts;
  other: Counts;
}

/** One workload on both sides, interleaved. */
export async function compare(
  workload: string,
  backend: BackendName,
  sides: { ours: Side; other: Side },
  quick: boolean,
): Promise<Compared> {
  const { ours, other } = sides;
  for (const side of [ours, other]) {
    await side.prepare(workload);
    // Warms up what the first call loads and prepares.
    await side.time(workload);
  }
  const ratios: number[] = [];
  for (let round = 0; round < roundsOf(quick); round += 1) {
    const first = round % 2 === 0 ? [ours, other] : [other, ours];
    const times = new Map<Side, number>();
    for (const side of first) times.set(side, await side.time(workload));
    ratios.push((times.get(ours) ?? Number.NaN) / (times.get(other) ?? Number.NaN));
  }
  const { median } = summarise(ratios);
  return {
    workload,
    backend,
    ratio: { median, least: Math.min(...ratios), most: Math.max(...ratios) },
    ours: await counts(ours, workload),
    other: await counts(other, workload),
  };
}

async function counts(side: Side, workload: string): Promise<Counts> {
  const all: Counts[] = [];
  for (let n = 0; n < COUNTED_ROUNDS; n += 1) all.push(await side.count(workload));
  const median = (key: keyof Counts) => {
    const values = all.flatMap((one) => one[key] ?? []);
    return values.length === 0 ? {} : { [key]: summarise(values).median };
  };
  return {
    bytes: 0,
    ...median('bytes'),
    ...median('rows'),
    ...median('statements'),
    ...median('roundTrips'),
  };
}

export function workloadsOn(backend: BackendName, names: readonly string[]): string[] {
  return AGAINST.filter(({ backends }) => !backends || backends.includes(backend))
    .map(({ name }) => name)
    .filter((name) => names.length === 0 || names.includes(name));
}
