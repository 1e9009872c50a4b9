import type { Bound, Figure, Row, Unit } from '../result.ts';

/** Three significant digits, whatever the size. */
export function formatValue(value: number, unit: Unit): string {
  if (unit === 'bytes') return formatBytes(value);
  if (unit === 'count' && Number.isInteger(value)) return value.toLocaleString('en');
  const number = value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  if (unit === 'ms') return `${number} ms`;
  return unit === 'per second' ? `${number}/s` : number;
}

function formatBytes(bytes: number): string {
  if (bytes < 10_000) return `${Math.round(bytes).toLocaleString('en')} B`;
  if (bytes < 10_000_000) return `${(bytes / 1_000).toFixed(1)} KB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Throughput has no p95 of its own. */
export function formatFigure(figure: Figure | undefined, unit: Unit): string {
  if (!figure) return '';
  const median = formatValue(figure.median, unit);
  return figure.p95 === undefined ? median : `${median} (p95 ${formatValue(figure.p95, unit)})`;
}

export function formatRatio({ ratio }: Row): string {
  return ratio === undefined ? '' : ratio.toFixed(2);
}

/** In the unit of what it bounds: the ratio, or the figure itself. */
export function formatBound(bound: Bound | undefined, { ratio, unit }: Row): string {
  if (!bound) return '';
  const value = ratio === undefined ? formatValue(bound.value, unit) : String(bound.value);
  return `${bound.sense} ${value}`;
}
