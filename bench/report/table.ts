import { type Placed, type Row, verdict } from '../result.ts';
import { formatBound, formatFigure, formatRatio } from './format.ts';

export const HEADINGS = ['workload', 'backend', 'what', 'ours', 'against', 'ratio', 'bound', ''] as const;

/** A line of a table, as text. */
export function cellsOf(row: Placed<Row>): string[] {
  const { reference, unit } = row;
  return [
    row.workload,
    row.backend,
    row.what,
    formatFigure(row.ours, unit),
    reference ? `${reference.name}: ${formatFigure(reference, unit)}` : '',
    formatRatio(row),
    formatBound(row.bound, row),
    verdict(row),
  ];
}

/** Aligned for a terminal. */
export function formatTable(rows: readonly Placed<Row>[]): string {
  const lines = [[...HEADINGS], ...rows.map(cellsOf)];
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
