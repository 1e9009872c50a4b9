import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Child {
  process: ChildProcess;
  /** What it said first. */
  first: Record<string, unknown>;
  kill(): Promise<void>;
  /** Asks it to close its store and to end. */
  end(): Promise<void>;
}

/** Bundled once, so that a process begins at once: many are started and killed. */
const bundles = new Map<string, Promise<string>>();

export function bundled(script: URL): Promise<string> {
  const known = bundles.get(script.href);
  if (known) return known;
  const folder = mkdtempSync(join(tmpdir(), 'kode-test-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, `${basename(script.pathname, '.ts')}.mjs`);
  const made = build({
    entryPoints: [fileURLToPath(script)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'warning',
  }).then(() => outfile);
  bundles.set(script.href, made);
  return made;
}

/** Runs a script in another process. */
export async function startChild(script: URL, args: string[]): Promise<Child> {
  const child = fork(await bundled(script), args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const [first] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => [{ ended: code }]),
  ])) as [Record<string, unknown>];
  return {
    process: child,
    first,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async end() {
      if (child.connected) child.send('end');
      await ended;
    },
  };
}
