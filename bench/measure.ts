import type { Bound, Figure, Row, Unit } from './result.ts';

/** One of the two things that are compared. */
export interface Side {
  /** Makes ready what `run` needs; not timed. */
  before?(): Promise<unknown> | unknown;
  run(): Promise<unknown> | unknown;
}

export interface Effort {
  /** Pairs of runs in each repetition. */
  rounds: number;
  repetitions: number;
  /** Pairs before the first repetition that aren't timed. */
  warmUp: number;
}

export interface Timings {
  ours: Figure;
  reference: Figure;
  /** Median of ours divided by the median of the reference. */
  ratio: number;
}

/**
 * Runs both sides by turns, so that whatever else the machine does meets both, and returns the timings of
 * each repetition.
 */
export async function interleave(
  ours: Side,
  reference: Side,
  effort: Effort,
  timing: Timing = 'wall',
): Promise<Timings[]> {
  for (let i = 0; i < effort.warmUp; i += 1) {
    await time(ours);
    await time(reference);
  }
  const repetitions: Timings[] = [];
  for (let n = 0; n < effort.repetitions; n += 1) {
    globalThis.gc?.();
    const times: { ours: Sample[]; reference: Sample[] } = { ours: [], reference: [] };
    for (let i = 0; i < effort.rounds; i += 1) {
      times.ours.push(await sample(ours));
      times.reference.push(await sample(reference));
    }
    const [first, second] = [figureOf(times.ours, timing), figureOf(times.reference, timing)];
    repetitions.push({ ours: first, reference: second, ratio: first.median / second.median });
  }
  return repetitions;
}

/** `blocked`: only as long as nothing else can run in this process. */
type Timing = 'wall' | 'blocked';

interface Sample {
  /** Milliseconds on the clock. */
  wall: number;
  /** Those of them in which the event loop was at work. */
  blocked: number;
  /** Milliseconds of this process's processor time. */
  cpu: number;
}

/** Milliseconds. */
export async function time(side: Side): Promise<number> {
  return (await sample(side)).wall;
}

async function sample(side: Side): Promise<Sample> {
  await side.before?.();
  const usage = process.cpuUsage();
  const utilization = performance.eventLoopUtilization();
  const begun = performance.now();
  const result = side.run();
  if (result instanceof Promise) await result;
  const wall = performance.now() - begun;
  const { active: blocked } = performance.eventLoopUtilization(utilization);
  const { user, system } = process.cpuUsage(usage);
  return { wall, blocked, cpu: (user + system) / 1_000 };
}

function figureOf(samples: readonly Sample[], timing: Timing): Figure {
  const cpu = samples.reduce((sum, one) => sum + one.cpu, 0) / samples.length;
  return { ...summarise(samples.map((one) => one[timing])), cpu };
}

export function summarise(values: readonly number[]): Figure {
  const sorted = [...values].sort((one, other) => one - other);
  return { median: quantile(sorted, 0.5), p10: quantile(sorted, 0.1), p95: quantile(sorted, 0.95) };
}

/** Nearest rank. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

interface Comparison {
  what: string;
  /** What the reference is. */
  to: string;
  bound?: Bound | undefined;
}

/** Time against time: the repetition with the lowest ratio counts. */
export function timed({ what, to, bound }: Comparison, repetitions: readonly Timings[]): Row {
  const best = repetitions.reduce((one, other) => (other.ratio < one.ratio ? other : one));
  return row(
    { what, to, bound },
    'ms',
    best,
    best.ratio,
    repetitions.map(({ ratio }) => ratio),
  );
}

/** The slow ones against the slow ones. */
export function slowest(repetitions: readonly Timings[]): Timings[] {
  return repetitions.map((one) => ({ ...one, ratio: (one.ours.p95 ?? 0) / (one.reference.p95 ?? 0) }));
}

/** Work per second against work per second, `units` of it in each run. */
export function throughput(
  { what, to, bound }: Comparison,
  units: number,
  repetitions: readonly Timings[],
): Row {
  const best = repetitions.reduce((one, other) => (other.ratio < one.ratio ? other : one));
  const rate = ({ median }: Figure): Figure => ({ median: (units * 1_000) / median });
  const rates = { ours: rate(best.ours), reference: rate(best.reference), ratio: 1 / best.ratio };
  return row(
    { what, to, bound },
    'per second',
    rates,
    rates.ratio,
    repetitions.map(({ ratio }) => 1 / ratio),
  );
}

function row(
  { what, to, bound }: Comparison,
  unit: Unit,
  { ours, reference }: Timings,
  ratio: number,
  ratios: number[],
): Row {
  return {
    kind: 'row',
    what,
    unit,
    ours,
    reference: { name: to, ...reference },
    ratio,
    ratios,
    ...(bound ? { bound } : {}),
  };
}
