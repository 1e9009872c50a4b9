import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Backend } from '../../src/testing/harness.ts';
import { jsonBackend, postgresBackend, sqliteBackend } from '../support/backends.ts';
import { operations } from './operations.ts';
import { play } from './play.ts';

/**
 * Histories of up to 40 operations, each on an empty database: KODE_PROPERTY_RUNS of them on SQLite, where
 * they are quick, and a tenth of that on each other backend. KODE_PROPERTY_SEED repeats those of another run.
 */
const RUNS = Number(process.env.KODE_PROPERTY_RUNS ?? 500);
const SEED = Number(process.env.KODE_PROPERTY_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const LIMIT_PER_RUN_MS = 4_000;

const OTHER_RUNS = Math.ceil(RUNS / 10);
const BACKENDS: readonly [Backend, number][] = [
  [sqliteBackend(), RUNS],
  [jsonBackend(), OTHER_RUNS],
  [postgresBackend('postgres15'), OTHER_RUNS],
  [postgresBackend('postgres18'), OTHER_RUNS],
];

describe('a store answers as the model does, whatever happens', () => {
  console.log(
    `${RUNS} random histories on SQLite, ${OTHER_RUNS} on each other backend: KODE_PROPERTY_SEED=${SEED}`,
  );
  for (const [backend, runs] of BACKENDS) {
    const limit = Math.max(240_000, runs * LIMIT_PER_RUN_MS);
    it(backend.name, () => check(backend, runs, limit), limit + 60_000);
  }
});

async function check(backend: Backend, numRuns: number, interruptAfterTimeLimit: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(operations, (list) => play(backend, list)),
    { numRuns, seed: SEED, interruptAfterTimeLimit, markInterruptAsFailure: true },
  );
}
