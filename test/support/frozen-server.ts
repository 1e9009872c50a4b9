import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { join } from 'node:path';
import { onProcessExit } from './exit-hooks.ts';
import type { PostgresServer } from './postgres-server.ts';

/** Windows has no signal that stops a process and lets it go on later. */
export const CAN_FREEZE = platform() !== 'win32';

/**
 * Stops all processes of a server, as a machine does that hangs: connections are made by the kernel, data is
 * taken, nobody answers. Returns what lets it go on.
 */
export function freezeServer(server: PostgresServer): () => void {
  const [line = ''] = readFileSync(join(server.folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  const pids = processTree(Number(line));
  const thaw = () => signalAll(pids, 'SIGCONT');
  const callOff = onProcessExit(thaw);
  signalAll(pids, 'SIGSTOP');
  return () => {
    thaw();
    callOff();
  };
}

/** A process and its children, the parent first: stopped, it makes no more of them. */
function processTree(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return [parent, ...pairs.filter(([, ppid]) => ppid === parent).map(([pid = 0]) => pid)];
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
