import { join } from 'node:path';
import { StoreBusyError } from '../errors.ts';
import { type Clock, sleep } from '../model/clock.ts';
import { unlessAborted } from '../store/unless-aborted.ts';
import type { Disk } from './disk.ts';
import { describeHolder, judge, parseHolder } from './holder.ts';
import type { Found } from './lock-files.ts';
import type { Place } from './place.ts';

/** A holder that can't be seen, and whose lock stood still for so long, has lost it. */
export const DEAD_MS = 15_000;
/** How often somebody who waits looks at a lock. */
const LOOK_MS = 500;

export interface LookOptions {
  disk: Disk;
  clock: Clock;
  /** Ends waiting for signs of life of another holder. */
  signal?: AbortSignal | undefined;
  place?: Place | undefined;
}

/**
 * How the end of a lock's holder is known; undefined if the lock is there no more. Throws unless it is known.
 */
export async function endOf(
  root: string,
  lock: Found,
  { disk, clock, signal, place }: LookOptions,
): Promise<'seen' | 'concluded' | undefined> {
  const path = join(root, lock.name);
  const text = (await disk.read(path))?.toString();
  if (text === undefined) return undefined;
  const holder = parseHolder(text);
  // One without a holder's name is being written, or its writer crashed as it began.
  const verdict = holder ? judge(holder, place) : 'unknown';
  if (verdict === 'gone') return 'seen';
  if (verdict === 'unknown') {
    const still = await standsStill(path, { disk, clock, signal });
    if (still !== false) return still && 'concluded';
  }
  const who = holder ? describeHolder(holder) : 'another process that is just opening it';
  const unseen =
    verdict === 'silent'
      ? " It was opened by an earlier version of this package, perhaps in another container, so it can't be seen from here whether it still runs."
      : '';
  throw new StoreBusyError(
    `The folder "${root}" is in use by ${who}, and one process at a time can use it.${unseen} Close the store there, use another folder, or share a database between processes (SqliteStore, PostgresStore). If that process is gone, remove "${path}".`,
  );
}

/** Whether a lock shows no sign of life for as long as it takes to be sure; undefined if it is there no more. */
async function standsStill(path: string, { disk, clock, signal }: LookOptions): Promise<boolean | undefined> {
  const first = await disk.signature(path);
  const start = clock.monotonic();
  for (let now = first; now !== undefined; now = await disk.signature(path)) {
    if (now !== first || signal?.aborted) return false;
    if (clock.monotonic() - start >= DEAD_MS) return true;
    // The next look at the signal is at once.
    await unlessAborted(sleep(clock, LOOK_MS), signal).catch(() => undefined);
  }
  return undefined;
}
