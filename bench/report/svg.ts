import type { Point } from '../result.ts';

export interface Plot {
  title: string;
  xLabel: string;
  yLabel: string;
  points: readonly Point[];
}

const WIDTH = 720;
const HEIGHT = 320;
const LEFT = 64;
const RIGHT = 270;
const TOP = 40;
const BOTTOM = 48;
/** Told apart on white and on black, and by people who don't see all colours. */
const COLOURS = ['#2a78c8', '#d1702a', '#2f9e62', '#b0539b', '#8a8a2a', '#7a7a7a'];
const GREY = '#808080';

/** A line for each series, both axes logarithmic, on a transparent ground: readable in light and dark. */
export function drawPlot({ title, xLabel, yLabel, points }: Plot): string {
  const x = logScale(
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = logScale(
    points.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
  );
  const series = [...new Set(points.map((point) => point.series))];
  const lines = series.map((name, i) => {
    const own = points.filter((point) => point.series === name).sort((one, other) => one.x - other.x);
    const places = own.map((point) => `${round(x.at(point.x))},${round(y.at(point.y))}`);
    const colour = COLOURS[i % COLOURS.length] ?? GREY;
    const dash = name.includes('bare') ? ' stroke-dasharray="5 4"' : '';
    const dots = places.map((place) => {
      const [cx, cy] = place.split(',');
      return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
    });
    const label = text(WIDTH - RIGHT + 16, TOP + 12 + i * 20, name, `fill="${colour}"`);
    return `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>\n${dots.join('')}\n${label}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escapeText(title)}</title>`,
    text(LEFT, 20, title, `fill="${GREY}" font-weight="bold"`),
    ...x.ticks.map((tick) => vertical(x.at(tick), tick)),
    ...y.ticks.map((tick) => horizontal(y.at(tick), tick)),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, xLabel, `fill="${GREY}" text-anchor="middle"`),
    text(LEFT, TOP - 8, yLabel, `fill="${GREY}" text-anchor="end"`),
    ...lines,
    '</svg>\n',
  ].join('\n');
}

interface Scale {
  ticks: number[];
  at(value: number): number;
}

/** From the power of ten below the least value to a round number above the greatest. */
function logScale(values: readonly number[], from: number, to: number): Scale {
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const greatest = Math.max(...values);
  const ticks = [low];
  for (let last = low; last < greatest; ) {
    last = nextTick(last);
    ticks.push(last);
  }
  const high = ticks.at(-1) ?? low;
  const span = Math.log(high / low) || 1;
  return { ticks: thinned(ticks), at: (value) => from + ((to - from) * Math.log(value / low)) / span };
}

/** 1, 2, 5, 10, 20, 50, … */
function nextTick(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const first = Math.round(value / power);
  return first === 1 ? 2 * power : first === 2 ? 5 * power : 10 * power;
}

/** Over many decades, or with long labels, powers of ten are enough. */
function thinned(ticks: number[]): number[] {
  if (ticks.length <= 7 && ticks.map(label).join('').length <= 32) return ticks;
  return ticks.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9);
}

function vertical(x: number, value: number): string {
  const line = `<line x1="${round(x)}" y1="${TOP}" x2="${round(x)}" y2="${HEIGHT - BOTTOM}" stroke="${GREY}" stroke-opacity="0.2"/>`;
  return line + text(x, HEIGHT - BOTTOM + 16, label(value), `fill="${GREY}" text-anchor="middle"`);
}

function horizontal(y: number, value: number): string {
  const line = `<line x1="${LEFT}" y1="${round(y)}" x2="${WIDTH - RIGHT}" y2="${round(y)}" stroke="${GREY}" stroke-opacity="0.2"/>`;
  return line + text(LEFT - 8, y + 4, label(value), `fill="${GREY}" text-anchor="end"`);
}

function label(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 6 });
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeText(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
