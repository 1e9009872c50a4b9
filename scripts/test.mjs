// Runs the tests: npm test [-- vitest's arguments]. Some of them run the built package.
import { buildIfOutdated, packageBin, root, runNode } from './project.mjs';

await buildIfOutdated();
process.exitCode = await runNode([packageBin('vitest'), 'run', ...process.argv.slice(2)], { cwd: root });
