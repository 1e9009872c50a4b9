import { dirname, join } from 'node:path';
import { randomBytes } from '../model/crypto.ts';
import { errorCode } from '../model/foreign.ts';
import type { Disk } from './disk.ts';
import { type Holder, parseHolder } from './holder.ts';

/** What file systems say that have no links. */
const WITHOUT_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL']);

const NAME = /^lock\.(\d{1,15})(\.free)?$/;

export interface Found {
  name: string;
  generation: number;
  /** It was given back. */
  free: boolean;
}

export async function locks(disk: Disk, root: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const name of await disk.names(root)) {
    const match = NAME.exec(name);
    if (match) found.push({ name, generation: Number(match[1]), free: match[2] !== undefined });
  }
  return found;
}

export async function newestLock(disk: Disk, root: string): Promise<Found | undefined> {
  let newest: Found | undefined;
  for (const lock of await locks(disk, root)) {
    if (!newest || lock.generation > newest.generation) newest = lock;
  }
  return newest;
}

/** What a holder hands on to those after it; see `Holder`. */
export async function fenceIn(disk: Disk, root: string, { name }: Found): Promise<string | undefined> {
  return parseHolder((await disk.read(join(root, name)))?.toString() ?? '')?.fence;
}

/** False when another one was faster. It is there whole or not at all, where the file system has links. */
export async function create(disk: Disk, path: string, holder: Holder): Promise<boolean> {
  const text = `${JSON.stringify(holder)}\n`;
  const made = join(dirname(path), `lock-${randomBytes(8).toString('hex')}`);
  try {
    await disk.writeUnsynced(made, text);
    return await disk.link(made, path);
  } catch (error) {
    if (!WITHOUT_LINKS.has(errorCode(error) ?? '')) throw error;
    return await disk.writeNew(path, text);
  } finally {
    await disk.unlink(made).catch(() => undefined);
  }
}

/** Removes what processes left behind that ended as they made a lock. */
export async function removeUnfinished(disk: Disk, root: string): Promise<void> {
  for (const name of await disk.names(root)) {
    if (/^lock-[0-9a-f]{16}$/.test(name)) await disk.unlink(join(root, name));
  }
}
