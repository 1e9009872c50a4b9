import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { common, run } from '../../vitest.config.ts';
import { WHOLE, WITHOUT_SQLITE } from '../support/environment.ts';

// The agent's tests once more, with the next version of the model SDK and its providers, on a Node.js that
// this version runs on: npm test -- --ai7 [vitest's arguments].

const require = createRequire(import.meta.url);
const { dependencies } = require('./package.json') as { dependencies: Record<string, string> };
const names = Object.keys(dependencies);
const config = fileURLToPath(import.meta.url);
const hooks = new URL('./resolve.mjs', import.meta.url);

/**
 * better-sqlite3 is built for the Node.js that installed it. On another one the tests that run on every
 * kind of store leave SQLite out, and those to which the store doesn't matter run on PostgreSQL.
 */
function sqliteRuns(): boolean {
  try {
    const Database = require('better-sqlite3') as new (path: string) => { close(): void };
    new Database(':memory:').close();
    return true;
  } catch {
    return false;
  }
}

/**
 * What meets the SDK: its prompts and streams, its providers, tools and errors, and the messages that are made
 * of its own. What the agent does with its store is the same; in the matrix all of it runs.
 */
const DIFFERENT = [
  'test/agent/provider/**/*.test.ts',
  'test/agent/translate/**/*.test.ts',
  ...[
    'compaction',
    'deltas',
    'faults',
    'left-out',
    'interrupt',
    'prompt',
    'provider-values',
    'recovery',
    'refused-input',
    'spawn',
    'stream',
    'tools',
    'turn',
  ].map((name) => `test/agent/${name}.test.ts`),
];

const sqlite = sqliteRuns();
console.log(
  `\nThe agent with ai ${dependencies.ai} on Node.js ${process.versions.node}` +
    `${sqlite ? '' : ', without SQLite: better-sqlite3 was installed for another Node.js'}`,
);

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  plugins: [
    {
      name: 'packages-of-this-folder',
      enforce: 'pre',
      resolveId(source, importer) {
        const isNamed = names.some((name) => source === name || source.startsWith(`${name}/`));
        const isOwn = !importer?.includes('/node_modules/');
        return isNamed && isOwn ? this.resolve(source, config, { skipSelf: true }) : undefined;
      },
    },
  ],
  test: {
    ...run,
    ...common,
    isolate: false,
    include: [...(WHOLE ? ['test/agent/**/*.test.ts'] : DIFFERENT), 'test/ai7/packages.check.ts'],
    // What a crash leaves behind is a matter of the stores, not of the SDK.
    exclude: ['test/agent/crash/**'],
    // Processes that the tests start get the same packages.
    env: {
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${hooks.href}`,
      ...(sqlite ? {} : { [WITHOUT_SQLITE]: 'true' }),
    },
  },
});
