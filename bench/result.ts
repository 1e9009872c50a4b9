export type BackendName = 'sqlite' | 'postgres' | 'json';

/** `count` is a plain number: rows, round trips, commits. */
export type Unit = 'ms' | 'bytes' | 'count' | 'per second' | 'ratio';

export interface Figure {
  median: number;
  /** Absent for what is counted and not timed. */
  p95?: number;
  /** What it takes when nothing else runs on the machine; nothing is judged by it. */
  p10?: number;
  /** Mean of this process's processor time in ms: it tells more than the clock where others use the machine. */
  cpu?: number;
}

export interface Bound {
  sense: '≤' | '≥' | '=';
  value: number;
}

/** A line of the report. What is judged is the ratio, or the figure itself where there is none. */
export interface Row {
  kind: 'row';
  /** What was measured, in a few words. */
  what: string;
  unit: Unit;
  ours: Figure;
  reference?: Figure & { name: string };
  ratio?: number;
  /** The ratio of each repetition; the best is `ratio`. */
  ratios?: number[];
  bound?: Bound;
}

/** A point of a plot. */
export interface Point {
  kind: 'point';
  plot: string;
  series: string;
  x: number;
  y: number;
}

export type Measurement = Row | Point;

/** With its place in the run. */
export type Placed<T> = T & { workload: string; backend: BackendName };

export type Verdict = 'ok' | 'over' | '';

export function atMost(value: number): Bound {
  return { sense: '≤', value };
}

export function atLeast(value: number): Bound {
  return { sense: '≥', value };
}

export function exactly(value: number): Bound {
  return { sense: '=', value };
}

export function verdict({ bound, ratio, ours }: Row): Verdict {
  if (!bound) return '';
  const value = ratio ?? ours.median;
  const holds = {
    '≤': value <= bound.value,
    '≥': value >= bound.value,
    '=': value === bound.value,
  };
  return holds[bound.sense] ? 'ok' : 'over';
}

/** A number that was counted, judged by itself. */
export function counted(what: string, value: number, bound?: Bound, unit: Unit = 'count'): Row {
  return { kind: 'row', what, unit, ours: { median: value }, ...(bound ? { bound } : {}) };
}

/** A number that was counted, judged against another one. */
export function against(
  what: string,
  value: number,
  reference: { name: string; value: number },
  bound?: Bound,
  unit: Unit = 'bytes',
): Row {
  return {
    kind: 'row',
    what,
    unit,
    ours: { median: value },
    reference: { name: reference.name, median: reference.value },
    ratio: value / reference.value,
    ...(bound ? { bound } : {}),
  };
}
