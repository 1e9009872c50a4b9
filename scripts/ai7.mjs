// The agent's tests with the next version of the model SDK, on a Node.js that it runs on.
import module from 'node:module';
import { join } from 'node:path';
import { root } from './project.mjs';
import { runVitest } from './runs.mjs';

const folder = join(root, 'test', 'ai7');
const packages = module.createRequire(join(folder, 'package.json'));
const nodePackage = `node-${process.platform}-${process.arch}`;

/** Resolves to the exit code. */
export async function runWithAi7(args, options) {
  const execPath = nodeForAi7();
  if (execPath !== undefined) {
    return runVitest(['--config', join(folder, 'vitest.config.ts'), ...args], { execPath, ...options });
  }
  console.error(
    "\nNOT RUN: the agent's tests with ai 7, which need Node.js 22.15 or later. " +
      `This is ${process.versions.node}, and ${nodePackage} is not installed in test/ai7.`,
  );
  return ai7Concerns() ? 1 : 0;
}

/**
 * Whether they can run. There is no Node.js package for every platform; where there is one, an installation
 * without it is incomplete, and they fail.
 */
export function ai7Concerns() {
  return nodeForAi7() !== undefined || nodePackage in (packages('./package.json').optionalDependencies ?? {});
}

/** This process's own where that version of the SDK runs on it, else the one among the packages. */
function nodeForAi7() {
  // The SDK runs on a little less; test/ai7/resolve.mjs needs this.
  if ('registerHooks' in module) return process.execPath;
  try {
    return join(packages.resolve(`${nodePackage}/package.json`), '..', 'bin', 'node');
  } catch {
    return undefined;
  }
}
