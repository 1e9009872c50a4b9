import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cliPath = join(root, 'dist', 'cli', 'main.js');

/** Runs a Node program with this process's terminal; resolves to its exit code. */
export async function runNode(args, { execPath = process.execPath, ...options } = {}) {
  const child = spawn(execPath, args, { stdio: 'inherit', ...options });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

/** The file behind a package's command, without a shell and on any platform. */
export function packageBin(packageName, command = packageName) {
  const folder = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[command]);
}

/** Whether dist is newer than everything that it is made from. */
function isBuilt() {
  const marker = join(root, 'dist', 'index.js');
  if (!existsSync(marker) || !existsSync(cliPath)) return false;
  const sources = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs'];
  return sources.every((path) => newest(join(root, path)) <= statSync(marker).mtimeMs);
}

/** Includes the folders' own times: they change when a file is removed. */
function newest(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return readdirSync(path).reduce((time, name) => Math.max(time, newest(join(path, name))), stats.mtimeMs);
}

export async function buildIfOutdated() {
  if (isBuilt()) return;
  const code = await runNode([join(root, 'scripts', 'build.mjs')]);
  if (code !== 0) process.exit(code);
}
