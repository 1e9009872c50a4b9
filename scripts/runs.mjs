// Several runs of vitest as one: their progress, one line that sums them up, and one exit code.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageBin, root, runNode } from './project.mjs';

/** Runs vitest with these arguments; resolves to its exit code. */
export function runVitest(args, options) {
  return runNode([packageBin('vitest'), 'run', ...args], { cwd: root, ...options });
}

/**
 * Runs all of these, whatever becomes of each: `{ name, run }`, of which `run(env)` resolves to an exit code.
 * Resolves to 0, or to the first failure's code. A run that died, or in which no test ran, has failed.
 */
export async function runAll(runs) {
  const folder = mkdtempSync(join(tmpdir(), 'kode-runs-'));
  let [passed, failed, firstCode] = [0, 0, 0];
  const troubles = [];
  try {
    for (const [i, { name, run }] of runs.entries()) {
      const began = Date.now();
      console.log(`\n== ${i + 1} of ${runs.length}: ${name}`);
      const file = join(folder, `${i}`);
      const code = await run({ ...process.env, TEST_SUMMARY_FILE: file }).catch((error) => {
        console.error(String(error));
        return 1;
      });
      const result = resultOf(file, code);
      passed += result.passed;
      failed += result.failed;
      if (result.failed > 0) {
        firstCode ||= code || 1;
        troubles.push(`${name}: ${result.why}`);
      }
      // Of those that were tried again and passed, too.
      troubles.push(...result.failures);
      const seconds = Math.round((Date.now() - began) / 1_000);
      console.log(`== ${name}: ${result.passed} passed, ${result.failed} failed, in ${seconds} s`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (troubles.length > 0) console.log(`\n${troubles.join('\n')}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return firstCode;
}

function resultOf(file, code) {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  const last = lines.pop();
  const [, passed = 0, failed = 0] = (/^(\d+) passed, (\d+) failed/.exec(last) ?? []).map(Number);
  const failures = lines.map((line) => `  ${line}`);
  if (failed > 0) return { passed, failed, failures, why: `${failed} failed` };
  if (last === undefined) {
    return { passed, failed: 1, failures, why: `it ended with code ${code} and no result` };
  }
  if (code !== 0) return { passed, failed: 1, failures, why: `it ended with code ${code}` };
  if (passed === 0) return { passed, failed: 1, failures, why: 'no test ran' };
  return { passed, failed, failures, why: '' };
}
