import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KodeError, StoreUnavailableError } from '../errors.ts';

const MOVE_ATTEMPTS = 20;
const MOVE_PAUSE_MS = 25;

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The file, or undefined where there is none. */
export async function openIfThere(path: string, flags: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The names in a folder; none if there is no such folder. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Writes a new file whole. It is on disk when this returns, but its name may not be: sync the folder. */
export async function writeWhole(path: string, data: string | Buffer): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes created, renamed and removed names in a folder survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows can't open folders; its file systems log such changes themselves.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a file or folder another name, in one step. A file that is there already is replaced. */
export async function move(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rename(from, to);
      break;
    } catch (error) {
      // On Windows a virus scanner or an indexer may hold a file open for a moment.
      const passing = ['EPERM', 'EACCES', 'EBUSY'].includes(errorCode(error) ?? '');
      if (process.platform !== 'win32' || !passing || attempt === MOVE_ATTEMPTS) throw error;
      await sleep(MOVE_PAUSE_MS);
    }
  }
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** An empty folder, whatever was in it before. */
export async function emptyDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  for (const name of await namesIn(path)) await removeTree(join(path, name));
}

const ADVICE: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'the disk quota is used up; free some space',
  EACCES: 'permission was denied; check who owns the folder and its files',
  EPERM: 'the operation was not permitted; check who owns the folder and whether it is read-only',
  EROFS: 'the file system is mounted read-only',
  EMFILE: 'this process has too many open files; raise its limit (ulimit -n)',
  ENFILE: 'the system has too many open files; raise its limit',
  EIO: 'the disk reported an input/output error; check its health',
  ENOENT: 'a file or folder is missing; was it removed while the store was open?',
  ENOTDIR: 'a part of the path is a file, not a folder',
};

/** Errors of the file system leave the store as `StoreUnavailableError`; all others as they are. */
export function explainFileError(error: unknown, root: string): unknown {
  const code = errorCode(error);
  if (error instanceof KodeError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const advice = ADVICE[code] ?? 'the file system refused an operation';
  return new StoreUnavailableError(`The store in "${root}" can't go on (${code}): ${advice}.`, {
    cause: error,
  });
}
