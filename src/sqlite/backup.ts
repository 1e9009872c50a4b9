import { link, lstat, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { KodeError, StoreConfigError, StoreUnavailableError, ValidationError } from '../errors.ts';
import { errorCode, messageOf } from '../model/foreign.ts';
import type { Modes } from '../store/modes.ts';
import { makeFile } from '../store/new-files.ts';
import { partialFile, removeLeftovers } from './partial-files.ts';
import { makeFolderOf } from './place.ts';

/** Pages that are copied before everything else in the process has its turn. */
const PAGES_PER_STEP = 100;

export interface BackupTarget {
  /** Absolute. */
  readonly path: string;
  readonly modes: Modes;
  /** Replaces a file that is there. */
  readonly overwrite: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Copies what a connection sees to a file, which gets its name when it is whole and on disk: a backup that is
 * killed leaves nothing under that name. `source`: the database's own path, if it is a file.
 */
export async function backUp(db: Database, source: string | undefined, target: BackupTarget): Promise<void> {
  target.signal?.throwIfAborted();
  await checkTarget(source, target);
  await makeFolderOf(target.path, target.modes);
  await removeLeftovers(dirname(target.path));
  const partial = partialFile(dirname(target.path));
  try {
    await makeFile(partial.path, target.modes);
    await db.backup(partial.path, {
      progress() {
        target.signal?.throwIfAborted();
        return PAGES_PER_STEP;
      },
    });
    await sync(partial.path);
    await giveName(partial.path, target);
    await syncFolder(dirname(target.path));
  } catch (error) {
    if (error instanceof KodeError || target.signal?.aborted) throw error;
    throw new StoreUnavailableError(
      `The backup to ${target.path} failed: ${messageOf(error)}. Nothing is left of it. Check that its folder is writable and the disk has room.`,
      { cause: error },
    );
  } finally {
    await partial.remove();
  }
}

async function checkTarget(source: string | undefined, { path, overwrite }: BackupTarget): Promise<void> {
  if (path === source || (source !== undefined && (await isSame(path, source)))) {
    throw new StoreConfigError(`The backup must go to another file than the database, which is ${path}.`);
  }
  const there = await kindOf(path);
  if (there === 'other') throw new ValidationError('path', `${path} is no file that could be replaced`);
  if (there === 'file' && !overwrite) throw exists(path);
  for (const suffix of ['-wal', '-journal']) {
    // SQLite would take it for the new file's, and write what is in it into the new one.
    if ((await kindOf(path + suffix)) === undefined) continue;
    throw new ValidationError(
      'path',
      `${basename(path)}${suffix} lies in ${dirname(path)}: a database of this name is open there, or was not closed. Close it, or choose another path`,
    );
  }
}

async function giveName(partial: string, { path, overwrite }: BackupTarget): Promise<void> {
  if (overwrite) return rename(partial, path);
  try {
    // Unlike a rename, it never replaces what has come there meanwhile.
    await link(partial, path);
    await unlink(partial);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw exists(path);
    // Some file systems have no links.
    if ((await kindOf(path)) !== undefined) throw exists(path);
    await rename(partial, path);
  }
}

function exists(path: string): ValidationError {
  return new ValidationError(
    'path',
    `${path} exists already. Choose another path, or pass { overwrite: true }`,
  );
}

async function kindOf(path: string): Promise<'file' | 'other' | undefined> {
  try {
    return (await lstat(path)).isFile() ? 'file' : 'other';
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function isSame(path: string, other: string): Promise<boolean> {
  try {
    const [one, two] = await Promise.all([stat(path, { bigint: true }), stat(other, { bigint: true })]);
    return one.dev === two.dev && one.ino === two.ino;
  } catch {
    return false;
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Windows can't open folders; its file systems log new names themselves. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
