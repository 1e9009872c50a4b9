import { readFileSync, readlinkSync } from 'node:fs';
import { errorCode } from '../model/foreign.ts';

/** Whether there is a process with this number. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return errorCode(error) !== 'ESRCH';
  }
}

/**
 * When a process began, in clock ticks of the system: a number given out again is another process. Empty where that
 * can't be told.
 */
export function startOf(pid: number): string {
  return isOurs() ? statusOf(String(pid)) : '';
}

export function ownStart(): string {
  return statusOf('self');
}

/** Of the numbers given out so far where this process runs; undefined where that can't be told. */
export function lastNumber(): number | undefined {
  try {
    return isOurs() ? Number(readFileSync('/proc/loadavg', 'latin1').trim().split(' ').at(-1)) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether /proc tells of the processes that this one sees, not of those of another namespace. */
function isOurs(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    return false;
  }
}

function statusOf(name: string): string {
  try {
    const status = readFileSync(`/proc/${name}/stat`, 'latin1');
    // The second field is the program's name in brackets, which may hold anything.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
