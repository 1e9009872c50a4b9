import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { bundle } from '../support/bundle.ts';

export interface Child {
  process: ChildProcess;
  /** What it said first. */
  first: Record<string, unknown>;
  kill(): Promise<void>;
  /** Asks it to close its store and to end. */
  end(): Promise<void>;
}

/** Runs a script in another process. */
export async function startChild(script: URL, args: string[]): Promise<Child> {
  const child = fork(await bundle(script), args, {
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
