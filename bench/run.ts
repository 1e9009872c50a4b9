// Measures the store beside the bare drivers: npm run bench [-- NAME...]. See bench/options.ts.
import { runAgainst } from './against/run.ts';
import { runWorkload } from './bench.ts';
import { type Machine, machine } from './machine.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { writeDocs } from './report/docs.ts';
import { addOutcome, readResults, resultsFile } from './report/json.ts';
import { formatTable } from './report/table.ts';
import { type BackendName, type Measurement, type Placed, type Row, verdict } from './result.ts';
import { openTarget } from './targets.ts';
import { WORKLOADS } from './workloads/index.ts';

const args = process.argv.slice(2);
const rows: Placed<Row>[] = [];
let failures = 0;

function parse(): Options | undefined {
  try {
    return readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function main(options: Options): Promise<void> {
  const here = machine();
  console.log(`Node ${here.node}, ${here.platform}, ${here.cores} cores, ${here.memoryGb} GB of memory`);
  for (const backend of options.backends) await runBackend(backend, options, here);
  console.log(`\n${formatTable(rows)}`);
  const over = rows.filter((row) => verdict(row) === 'over').length;
  const bounded = rows.filter((row) => row.bound).length;
  console.log(`\n${bounded} bounds, ${over} over${failures > 0 ? `, ${failures} workloads failed` : ''}`);
  if (failures > 0) process.exitCode = 1;
  const results = options.docs ? readResults(resultsFile(options.quick)) : undefined;
  if (results) writeDocs(results);
}

/** Machines differ, and so do packages: nothing is judged here, but that everything ran. */
async function against(given: NonNullable<Options['against']>, { backends, quick }: Options): Promise<void> {
  const { cores, memoryGb, node, platform } = machine();
  console.log(`Node ${node}, ${platform}, ${cores} cores, ${memoryGb} GB of memory`);
  if ((await runAgainst({ ...given, backends, quick })) > 0) process.exitCode = 1;
}

async function runBackend(backend: BackendName, options: Options, here: Machine): Promise<void> {
  const workloads = options.workloads.filter((workload) => workload.backends.includes(backend));
  if (workloads.length === 0) return;
  const target = await openTarget(backend);
  try {
    for (const workload of workloads) {
      console.log(`\n${target.version}: ${workload.title}`);
      const measurements: Placed<Measurement>[] = [];
      try {
        for await (const measurement of runWorkload(workload, target, options)) {
          const placed = { ...measurement, workload: workload.name, backend };
          measurements.push(placed);
          if (placed.kind === 'row') {
            rows.push(placed);
            console.log(formatTable([placed]).split('\n')[1]);
          }
        }
      } catch (error) {
        failures += 1;
        console.error(`${workload.name} failed on ${backend}:`, error);
        continue;
      }
      addOutcome(resultsFile(options.quick), here, {
        workload: workload.name,
        backend,
        version: target.version,
        turns: options.transcripts === undefined ? 'generated turns' : 'recorded turns',
        command: `npm run bench -- ${workload.name} --backend ${backend}`,
        measuredAt: new Date().toISOString().slice(0, 10),
        measurements,
      });
    }
  } finally {
    await target.close();
  }
}

const options = parse();
if (options?.list) for (const { name, title } of WORKLOADS) console.log(`${name.padEnd(16)}${title}`);
else if (options?.against) await against(options.against, options);
else if (options) await main(options);
