import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { randomUUID } from '../model/crypto.ts';

/** Of Linux: the PID namespace that the system itself runs in. */
const FIRST_NAMESPACE = 'pid:[4026531836]';

/** Where a process runs: whose process numbers mean something to it. */
export interface Place {
  readonly host: string;
  /**
   * Two processes that name the same place can look whether the other one is there. Containers may share a host's
   * name, and hosts one another's, so the name alone doesn't tell.
   */
  readonly name: string;
  /** There is no process on this host that can't be seen from here. */
  readonly whole: boolean;
}

let known: Place | undefined;

export function thisPlace(): Place {
  known ??= look();
  return known;
}

function look(): Place {
  const host = hostname();
  if (process.platform !== 'linux') return { host, name: host, whole: true };
  try {
    const namespace = readlinkSync('/proc/self/ns/pid');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const name = [host, boot, namespace, timeNamespace()].join(' ');
    return { host, name, whole: namespace === FIRST_NAMESPACE };
  } catch {
    // Nobody else can tell, so nobody else may conclude anything from a number.
    return { host, name: `${host} ${randomUUID()}`, whole: false };
  }
}

/** The instants at which processes began are counted in it. Older systems have none. */
function timeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time');
  } catch {
    return '';
  }
}
