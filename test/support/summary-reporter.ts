import { appendFileSync, writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Names a file to which the line goes instead, for the program that sums up several runs. */
const SUMMARY_FILE = 'TEST_SUMMARY_FILE';

/**
 * Ends a run with one plain line, "N passed, N failed". Files that can't be loaded and errors outside of
 * tests count as failed, and so does a run that fails as a whole.
 */
export class SummaryReporter implements Reporter {
  #passed = 0;
  #failed = 0;

  onInit(): void {
    const { [SUMMARY_FILE]: file } = process.env;
    delete process.env[SUMMARY_FILE];
    process.once('exit', (code) => {
      const failed = code === 0 ? this.#failed : Math.max(this.#failed, 1);
      const line = `${this.#passed} passed, ${failed} failed\n`;
      // Written at once: a stream may not get to it any more.
      if (file === undefined) writeSync(process.stdout.fd, `\n${line}`);
      else appendFileSync(file, line);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#passed = 0;
    this.#failed = unhandledErrors.length;
    for (const module of modules) {
      this.#failed += module.errors().length;
      for (const suite of module.children.allSuites()) this.#failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') this.#passed += 1;
        if (state === 'failed') this.#failed += 1;
      }
    }
  }
}
