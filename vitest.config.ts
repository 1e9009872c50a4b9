import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';
import { SummaryReporter } from './test/support/summary-reporter.ts';

/** Tests that replace modules which other files' tests load as well. */
const APART = ['test/sql/statement-plans.test.ts'];

/**
 * Tests that wait for servers, processes and clocks of this machine: each is tried a second time, and the summary
 * names those that needed it. What has no such excuse fails at once.
 */
const IN_REAL_TIME = [
  'test/postgres/**/*.test.ts',
  'test/sqlite/**/*.test.ts',
  'test/suite/**/*.test.ts',
  'test/agent/*.test.ts',
  'test/agent/crash/**/*.test.ts',
  'test/cli/import*.test.ts',
  'test/docs/**/*.test.ts',
  'test/examples/**/*.test.ts',
  'test/bench/**/*.test.ts',
];

/** For every project. */
export const common = {
  setupFiles: ['./test/support/setup-worker.ts'],
  // Processes, not threads: native drivers, signals and working directories stay apart.
  pool: 'forks' as const,
  testTimeout: 30_000,
  hookTimeout: 30_000,
  // What is polled for comes sooner or later, also on a busy machine: the default is one second.
  expect: { poll: { timeout: 20_000 } },
};

/** For a run, of whatever projects: the servers are started once. */
export const run = {
  globalSetup: ['./test/support/global-setup.ts'],
  maxWorkers: 2,
  sequence: { sequencer: LongestFirst },
  reporters: ['default', new SummaryReporter()],
};

export default defineConfig({
  test: {
    ...run,
    projects: [
      {
        test: {
          ...common,
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...APART, ...IN_REAL_TIME],
          // A process runs one file after the other, and loads the source once for all of them.
          isolate: false,
        },
      },
      { test: { ...common, name: 'in real time', include: IN_REAL_TIME, isolate: false, retry: 1 } },
      { test: { ...common, name: 'apart', include: APART } },
    ],
  },
});
