import { parseArgs } from 'node:util';
import type { BackendName } from './result.ts';
import { BACKENDS } from './targets.ts';
import type { Workload } from './workload.ts';
import { WORKLOADS } from './workloads/index.ts';

export const USAGE = `Usage: npm run bench [-- [NAME...] [options]]

NAME                 workloads to run; all of them without any
--backend NAMES      ${BACKENDS.join(', ')} (separated by commas); all of them by default
--transcripts PATH   turns of recorded conversations (OpenAI chat format) instead of generated ones
--quick              a smoke test: tiny sizes, figures without meaning
--docs               afterwards, write tables and plots of all results so far into docs/performance.md
--list               say what there is to run`;

export interface Options {
  workloads: readonly Workload[];
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
      transcripts: { type: 'string' },
      quick: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const { backend, transcripts, quick, docs, list } = values;
  return {
    workloads: positionals.length === 0 ? WORKLOADS : positionals.map(findWorkload),
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

function findBackend(name: string): BackendName {
  const found = BACKENDS.find((backend) => backend === name);
  if (found) return found;
  throw new Error(`There is no backend "${name}". There are ${BACKENDS.join(', ')}.`);
}
