// Runs the tests: npm test [-- vitest's arguments]. Some of them run the built package. Without arguments
// those of the agent that depend on the model SDK run a second time, with its next version; `npm test -- --ai7
// [vitest's arguments]` runs only those. What is broad rather than deep is in scripts/matrix.mjs.
import { ai7Concerns, runWithAi7 } from './ai7.mjs';
import { buildIfOutdated } from './project.mjs';
import { runAll, runVitest } from './runs.mjs';

const [first, ...rest] = process.argv.slice(2);

await buildIfOutdated();
if (first === undefined) {
  process.exitCode = await runAll([
    { name: 'the tests', run: (env) => runVitest([], { env }) },
    ...(ai7Concerns() ? [{ name: 'with ai 7', run: (env) => runWithAi7([], { env }) }] : []),
  ]);
} else if (first === '--ai7') process.exitCode = await runWithAi7(rest);
else process.exitCode = await runVitest([first, ...rest]);
