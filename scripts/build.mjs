// Bundles src into a few files in dist, with the declarations of every source file beside them.
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { cliPath, packageBin, root, runNode } from './project.mjs';

/** The files that are loaded by their names. What they share lies beside them in dist. */
const ENTRIES = {
  index: 'src/index.ts',
  'testing/index': 'src/testing/index.ts',
  'cli/main': 'src/cli/main.ts',
  // A thread's start, found beside the file that starts it.
  'reader-thread': 'src/sqlite/reader-thread.js',
};

/**
 * Whoever chooses a store at run time takes it from the root, which has all of them in it anyway: as files of
 * their own, they and what they share in pairs would be eight more to load with the root.
 */
const storesOfRoot = {
  name: 'stores-of-root',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/(json|postgres|sqlite)\/store\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './index.js', external: true } : undefined,
    );
  },
};

/**
 * Functions and numbers of which it doesn't matter how many copies there are: shared by the root and the
 * behaviour suite, they would be one more file to load with the root.
 */
const copiesForTesting = {
  name: 'copies-for-testing',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/(model\/clock|store\/queues)\.ts$/ }, ({ path, resolveDir }) =>
      resolveDir === join(root, 'src', 'testing')
        ? { path: join(resolveDir, path), suffix: '?testing' }
        : undefined,
    );
  },
};

function removeDist() {
  rmSync(join(root, 'dist'), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

function bundle() {
  return build({
    absWorkingDir: root,
    entryPoints: ENTRIES,
    outdir: 'dist',
    chunkNames: 'shared-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    // With the sources in it, which aren't published.
    sourcemap: true,
    plugins: [storesOfRoot, copiesForTesting],
    logLevel: 'warning',
  });
}

removeDist();
try {
  const code = await runNode([packageBin('typescript', 'tsc'), '-p', 'tsconfig.build.json'], { cwd: root });
  if (code !== 0) throw new Error(`The compiler failed with code ${code}`);
  // Last: dist/index.js is what tells how old a build is.
  await bundle();
} catch (error) {
  // A half-made dist would pass for a finished one.
  removeDist();
  console.error(String(error));
  process.exit(1);
}
// npm does this for installed packages; here it makes dist/cli/main.js runnable in place.
if (process.platform !== 'win32') chmodSync(cliPath, 0o755);
