import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Backend } from '../../src/testing/harness.ts';
import { jsonBackend, postgresBackend, sqliteBackend } from '../support/backends.ts';
import { operations } from './operations.ts';
import { play } from './play.ts';

/** Each run is up to 40 operations on a database of its own. More runs find more: a few hundred before a release. */
const RUNS = Number(process.env.KODE_PROPERTY_RUNS ?? 30);
const TIME_LIMIT_MS = Math.max(240_000, RUNS * 4_000);

const BACKENDS = [
  jsonBackend(),
  sqliteBackend(),
  postgresBackend('postgres15'),
  postgresBackend('postgres18'),
];

describe('a store answers as the model does, whatever happens', () => {
  for (const backend of BACKENDS) {
    it(backend.name, () => check(backend), TIME_LIMIT_MS + 60_000);
  }
});

async function check(backend: Backend): Promise<void> {
  await fc.assert(
    fc.asyncProperty(operations, (list) => play(backend, list)),
    { numRuns: RUNS, interruptAfterTimeLimit: TIME_LIMIT_MS, markInterruptAsFailure: true },
  );
}
