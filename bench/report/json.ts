import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine.ts';
import type { BackendName, Measurement, Placed } from '../result.ts';

/** One workload on one backend. */
export interface Outcome {
  workload: string;
  backend: BackendName;
  /** Of the database. */
  version: string;
  /** Where the turns came from. */
  turns: string;
  command: string;
  measuredAt: string;
  measurements: Placed<Measurement>[];
}

export interface Results {
  machine: Machine;
  outcomes: Outcome[];
}

const FOLDER = fileURLToPath(new URL('../results/', import.meta.url));

/** Smoke tests have a file of their own: their figures mean nothing. */
export function resultsFile(quick: boolean): string {
  return `${FOLDER}${quick ? 'quick' : 'latest'}.json`;
}

export function readResults(path: string): Results | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Results) : undefined;
}

/** Takes the place of what the same workload gave on the same backend before; the rest stays. */
export function addOutcome(path: string, machine: Machine, outcome: Outcome): Results {
  const before = readResults(path)?.outcomes ?? [];
  const others = before.filter(
    ({ workload, backend }) => workload !== outcome.workload || backend !== outcome.backend,
  );
  const results = { machine, outcomes: [...others, outcome] };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return results;
}
