import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Placed, Point, Row } from '../result.ts';
import { BACKENDS } from '../targets.ts';
import { WORKLOADS } from '../workloads/index.ts';
import type { Outcome, Results } from './json.ts';
import { drawPlot } from './svg.ts';
import { cellsOf, HEADINGS } from './table.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));
const PAGE = `${DOCS}performance.md`;
const BEGIN = '<!-- figures: written by npm run bench -- --docs -->';
const END = '<!-- end of figures -->';

/** What the workloads' points are drawn as. */
const PLOTS: Record<string, { title: string; xLabel: string; yLabel: string }> = {
  'turn-length': { title: 'A turn commit', xLabel: 'messages in the conversation', yLabel: 'ms' },
  'query-size': { title: 'Queries', xLabel: 'messages in the database', yLabel: 'ms' },
  concurrency: { title: 'Agents that commit at the same time', xLabel: 'agents', yLabel: 'turns/s' },
};

/** Writes the plots, and the section of docs/performance.md between its two markers. */
export function writeDocs({ machine, outcomes }: Results): void {
  const results = { machine, outcomes: inOrder(outcomes) };
  const plots = drawPlots(results.outcomes);
  const section = [
    BEGIN,
    '',
    conditions(results),
    '',
    ...plots.flatMap(({ file, title }) => [`![${title}](performance/${file})`, '']),
    ...table(results.outcomes),
    '',
    END,
  ].join('\n');
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) {
    throw new Error(
      `docs/performance.md lacks the lines "${BEGIN}" and "${END}", which the figures go between.`,
    );
  }
  writeFileSync(PAGE, page.slice(0, begin) + section + page.slice(end + END.length));
}

/** As they are listed, whichever was measured last. */
function inOrder(outcomes: readonly Outcome[]): Outcome[] {
  const places = WORKLOADS.map(({ name }) => name);
  const place = ({ backend, workload }: Outcome) =>
    BACKENDS.indexOf(backend) * places.length + places.indexOf(workload);
  return [...outcomes].sort((one, other) => place(one) - place(other));
}

function drawPlots(outcomes: readonly Outcome[]): { file: string; title: string }[] {
  const points = outcomes.flatMap(({ measurements }) =>
    measurements.filter((one): one is Placed<Point> => one.kind === 'point'),
  );
  mkdirSync(`${DOCS}performance`, { recursive: true });
  return Object.entries(PLOTS).flatMap(([name, plot]) => {
    const own = points.filter((point) => point.plot === name);
    if (own.length === 0) return [];
    const file = `${name}.svg`;
    writeFileSync(`${DOCS}performance/${file}`, drawPlot({ ...plot, points: own }));
    return [{ file, title: plot.title }];
  });
}

function conditions({ machine, outcomes }: Results): string {
  const versions = [...new Set(outcomes.map(({ version }) => version))].join(', ');
  const days = [...new Set(outcomes.map(({ measuredAt }) => measuredAt))].sort();
  const when = days.length > 1 ? `${days[0]} to ${days.at(-1)}` : days[0];
  const turns = [...new Set(outcomes.map((outcome) => outcome.turns))].join(' and ');
  return (
    `Measured ${when} with \`npm run bench\`, ${turns}, on ${machine.cores} cores with ${machine.memoryGb} GB of memory ` +
    `(${machine.platform}): Node.js ${machine.node.slice(1)}, ${versions}.`
  );
}

function table(outcomes: readonly Outcome[]): string[] {
  const rows = outcomes.flatMap(({ measurements }) =>
    measurements.filter((one): one is Placed<Row> => one.kind === 'row'),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(HEADINGS), line(HEADINGS.map(() => '---')), ...rows.map((row) => line(cellsOf(row)))];
}
