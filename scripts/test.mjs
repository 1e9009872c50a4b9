// Runs the tests: npm test [-- vitest's arguments]. Some of them run the built package. Without arguments
// the agent's tests run a second time, with the next version of the model SDK; `npm test -- --ai7
// [vitest's arguments]` runs only those.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildIfOutdated, packageBin, root, runNode } from './project.mjs';

const ai7 = join(root, 'test', 'ai7');
const packageOfAi7 = module.createRequire(join(ai7, 'package.json'));
const nodePackage = `node-${process.platform}-${process.arch}`;
const [first, ...rest] = process.argv.slice(2);

await buildIfOutdated();
if (first === undefined) process.exitCode = await runBoth();
else if (first === '--ai7') process.exitCode = await runWithAi7(rest);
else process.exitCode = await runVitest([first, ...rest]);

function runVitest(args, options) {
  return runNode([packageBin('vitest'), 'run', ...args], { cwd: root, ...options });
}

async function runWithAi7(args, options) {
  const execPath = nodeForAi7();
  if (execPath !== undefined) {
    return runVitest(['--config', join(ai7, 'vitest.config.ts'), ...args], { execPath, ...options });
  }
  console.error(
    "\nNOT RUN: the agent's tests with ai 7, which need Node.js 22.15 or later. " +
      `This is ${process.versions.node}, and ${nodePackage} is not installed in test/ai7.`,
  );
  // There is no package for every platform. Where there is one, an installation without it is incomplete.
  return nodePackage in (packageOfAi7('./package.json').optionalDependencies ?? {}) ? 1 : 0;
}

/** This process's own where that version of the SDK runs on it, else the one among the packages. */
function nodeForAi7() {
  // The SDK runs on a little less; test/ai7/resolve.mjs needs this.
  if ('registerHooks' in module) return process.execPath;
  try {
    return join(packageOfAi7.resolve(`${nodePackage}/package.json`), '..', 'bin', 'node');
  } catch {
    return undefined;
  }
}

/** Both runs, the second one whatever becomes of the first, and one line that sums them up. */
async function runBoth() {
  const folder = mkdtempSync(join(tmpdir(), 'kode-test-'));
  const file = join(folder, 'summary');
  const env = { ...process.env, TEST_SUMMARY_FILE: file };
  try {
    const codes = [await runVitest([], { env }), await runWithAi7([], { env })];
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    const sum = (pattern) => lines.reduce((total, line) => total + Number(pattern.exec(line)?.[1] ?? 0), 0);
    const code = codes.find((one) => one !== 0) ?? 0;
    // A run that died has written no line.
    const failed = Math.max(sum(/(\d+) failed/), code === 0 ? 0 : 1);
    console.log(`\n${sum(/(\d+) passed/)} passed, ${failed} failed`);
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
