import { randomUUID } from '../model/crypto.ts';
import { type Place, thisPlace } from './place.ts';
import { exists, lastNumber, ownStart, startOf } from './processes.ts';

/** What a lock file says of the process that has the folder. */
export interface Holder {
  pid: number;
  /** The name of its place. In locks of 3.0.0-alpha.1 that of the host alone, so that it never takes ours for a dead one. */
  host: string;
  /** When the process began, as far as the system tells. */
  started: string;
  since: string;
  /** Of this opening; such a holder's lock has a heartbeat. Locks of 3.0.0-alpha.1 have neither. */
  id?: string;
  /** Of the last opening that took the folder from a holder whose end nobody saw: that one may have files open. */
  fence?: string;
}

/**
 * `unknown`: it can't be seen from here, but its heartbeat can. `silent`: neither can.
 */
export type Verdict = 'alive' | 'gone' | 'unknown' | 'silent';

export function thisProcess(now: number, place = thisPlace()): Holder {
  return {
    pid: process.pid,
    host: place.name,
    started: ownStart(),
    since: new Date(now).toISOString(),
    id: randomUUID(),
  };
}

export function parseHolder(text: string): Holder | undefined {
  try {
    const holder: Partial<Holder> | null = JSON.parse(text);
    if (typeof holder?.pid !== 'number' || typeof holder.host !== 'string') return undefined;
    const { pid, host, started = '', since = 'an unknown time', id, fence } = holder;
    return {
      ...{ pid, host, started, since },
      ...(id === undefined ? {} : { id }),
      // It becomes a file's name.
      ...(typeof fence === 'string' && /^[0-9a-f-]{36}$/.test(fence) ? { fence } : {}),
    };
  } catch {
    return undefined;
  }
}

/** Whether the process that took a lock is still there. */
export function judge(holder: Holder, place = thisPlace()): Verdict {
  const here = holder.id === undefined ? isProbablyHere(holder, place) : holder.host === place.name;
  if (!here) return holder.id === undefined ? 'silent' : 'unknown';
  if (!exists(holder.pid)) return 'gone';
  const started = startOf(holder.pid);
  if (started !== '' && holder.started !== '') return started === holder.started ? 'alive' : 'gone';
  // There is a process with its number, and no telling whether it is the same.
  return holder.id === undefined ? 'alive' : 'unknown';
}

/**
 * A lock of 3.0.0-alpha.1 names the host alone, which another container may be called as well. Its holder was here if
 * this is all there is of the host, or if it fits among the numbers and the instants of the processes here.
 */
function isProbablyHere({ host, pid, started }: Holder, place: Place): boolean {
  if (host !== place.host) return false;
  if (place.whole) return true;
  const first = startOf(1);
  return first !== '' && Number(started) >= Number(first) && pid <= (lastNumber() ?? 0);
}

export function describeHolder({ pid, host, since }: Holder): string {
  return `process ${pid} on host "${host.split(' ')[0]}" since ${since}`;
}
