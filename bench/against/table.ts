import { formatValue } from '../report/format.ts';
import type { Unit } from '../result.ts';
import type { Compared } from './compare.ts';
import type { Counts } from './counts.ts';

const HEADINGS = ['workload', 'backend', 'time', 'from', 'to', 'rows', 'bytes', 'statements', 'round trips'];
/** What is written to a log varies a little with the values. */
const NOISE = 1.03;

/** Aligned for a terminal: ours, and the other's where it differs. `!` marks a count that rose. */
export function formatCompared(compared: readonly Compared[]): string {
  const lines = [HEADINGS, ...compared.map(cellsOf)];
  const widths = HEADINGS.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cellsOf({ workload, backend, ratio, ours, other }: Compared): string[] {
  const count = (key: keyof Counts, unit: Unit = 'count') => {
    const [one, two] = [ours[key], other[key]];
    if (one === undefined || two === undefined) return '';
    if (one === two) return formatValue(one, unit);
    return `${formatValue(one, unit)} (${formatValue(two, unit)})${rose(one, two, unit) ? ' !' : ''}`;
  };
  return [
    workload,
    backend,
    ...[ratio.median, ratio.least, ratio.most].map((value) => value.toFixed(2)),
    count('rows'),
    count('bytes', 'bytes'),
    count('statements'),
    count('roundTrips'),
  ];
}

function rose(one: number, two: number, unit: Unit): boolean {
  return unit === 'bytes' ? one > two * NOISE : one > two;
}
