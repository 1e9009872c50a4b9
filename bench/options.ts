import { parseArgs } from 'node:util';
import { AGAINST } from './against/workloads.ts';
import type { BackendName } from './result.ts';
import { BACKENDS } from './targets.ts';
import type { Workload } from './workload.ts';
import { WORKLOADS } from './workloads/index.ts';

export const USAGE = `Usage: npm run bench [-- [NAME...] [options]]

NAME                 workloads to run; all of them without any
--backend NAMES      ${BACKENDS.join(', ')} (separated by commas); all of them by default
--transcripts PATH   turns of recorded conversations (OpenAI chat format) instead of generated ones
--quick              a smoke test: tiny sizes, figures without meaning
--against PACKAGE    instead: the built package of this tree beside another one (a tarball or a folder), by turns
--docs               afterwards, write tables and plots of all results so far into docs/performance.md
--list               say what there is to run`;

export interface Options {
  workloads: readonly Workload[];
  /** A package to be compared with, and the names of what is compared: those workloads are others. */
  against: { other: string; workloads: readonly string[] } | undefined;
  backends: readonly BackendName[];
  transcripts: string | undefined;
  quick: boolean;
  docs: boolean;
  list: boolean;
}

/** Throws an error whose message is for the user. */
export function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      backend: { type: 'string' },
      against: { type: 'string' },
      transcripts: { type: 'string' },
      quick: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const { backend, against, transcripts, quick, docs, list } = values;
  const compared = against === undefined ? undefined : { other: against, workloads: positionals };
  compared?.workloads.forEach(checkCompared);
  return {
    workloads: compared || positionals.length === 0 ? WORKLOADS : positionals.map(findWorkload),
    against: compared,
    backends: backend === undefined ? BACKENDS : backend.split(',').map(findBackend),
    transcripts,
    quick,
    docs,
    list,
  };
}

function findWorkload(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (found) return found;
  throw new Error(
    `There is no workload "${name}". There are ${WORKLOADS.map((one) => one.name).join(', ')}.`,
  );
}

function checkCompared(name: string): void {
  if (AGAINST.some((workload) => workload.name === name)) return;
  const names = AGAINST.map((workload) => workload.name).join(', ');
  throw new Error(`There is no workload "${name}" to compare packages by. There are ${names}.`);
}

function findBackend(name: string): BackendName {
  const found = BACKENDS.find((backend) => backend === name);
  if (found) return found;
  throw new Error(`There is no backend "${name}". There are ${BACKENDS.join(', ')}.`);
}
