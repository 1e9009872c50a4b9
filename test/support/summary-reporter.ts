import { appendFileSync, writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Names a file to which the line goes instead, for the program that sums up several runs. */
const SUMMARY_FILE = 'TEST_SUMMARY_FILE';

/** How many failures are named at the end. */
const NAMED = 20;

/**
 * Ends a run with one plain line, "N passed, N failed", and one before it for each failure, since what
 * Vitest prints of it may be far above. Files that can't be loaded and errors outside of tests count as
 * failed, and so does a run that fails as a whole.
 */
export class SummaryReporter implements Reporter {
  #passed = 0;
  #failed = 0;
  #failures: string[] = [];
  /** Those that passed when they were tried again. */
  #repeated: string[] = [];

  onInit(): void {
    const { [SUMMARY_FILE]: file } = process.env;
    delete process.env[SUMMARY_FILE];
    process.once('exit', (code) => {
      const failed = code === 0 ? this.#failed : Math.max(this.#failed, 1);
      const named = this.#failures.slice(0, NAMED).map((failure) => `FAILED ${failure}\n`);
      const repeated = this.#repeated.map((test) => `TRIED AGAIN ${test}\n`);
      const line = `${repeated.join('')}${named.join('')}${this.#passed} passed, ${failed} failed\n`;
      // Written at once: a stream may not get to it any more.
      if (file === undefined) writeSync(process.stdout.fd, `\n${line}`);
      else appendFileSync(file, line);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#passed = 0;
    this.#failed = 0;
    this.#failures = [];
    this.#repeated = [];
    for (const error of unhandledErrors) this.#fail('outside of a test', [error]);
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const error of module.errors()) this.#fail(file, [error]);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) this.#fail(`${file} > ${suite.fullName}`, [error]);
      }
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'passed') this.#passed += 1;
        if (test.diagnostic()?.flaky)
          this.#repeated.push(`${file} > ${test.fullName}: ${firstLine(errors?.[0]?.message ?? '')}`);
        if (state === 'failed') this.#fail(`${file} > ${test.fullName}`, errors);
      }
    }
  }

  #fail(where: string, [error]: readonly SerializedError[]): void {
    this.#failed += 1;
    this.#failures.push(`${where}: ${firstLine(error?.message ?? '')}`);
  }
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 300);
}
