import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptDataError, SchemaVersionError, StoreConfigError } from '../errors.ts';
import { errorCode } from '../model/foreign.ts';
import type { Disk } from './disk.ts';
import { refuseForeign } from './foreign.ts';
import { StoreLock } from './lock.ts';
import type { LookOptions } from './lock-end.ts';
import { removeUnfinished } from './lock-files.ts';
import { Paths } from './paths.ts';

/**
 * The format of a store's folder. 1 and 2, of 3.0.0-alpha.1 and 3.0.0-alpha.2, have forks whose histories are in
 * other logs.
 */
export const FOLDER_FORMAT = 3;

export interface FolderOptions extends Pick<LookOptions, 'disk' | 'clock'> {
  /** Ends the opening, between two steps. */
  readonly signal?: AbortSignal | undefined;
  /** Ends waiting for signs of life of another holder. */
  readonly closing?: AbortSignal | undefined;
}

/** Makes the folder ready for use by this process alone. The lock is the caller's to release. */
export async function openFolder(
  root: string,
  { disk, clock, signal, closing }: FolderOptions,
): Promise<{ lock: StoreLock; paths: Paths }> {
  await makeRoot(root, disk);
  if (!(await disk.isFile(new Paths(root).marker))) await refuseForeign(root, disk);
  signal?.throwIfAborted();
  const endings = [signal, closing].filter((one) => one !== undefined);
  const lock = await StoreLock.acquire(root, { disk, clock, signal: AbortSignal.any(endings) });
  try {
    signal?.throwIfAborted();
    const paths = new Paths(root, lock.generation);
    const version = await readMarker(paths, disk);
    // What a crash left half done was never part of the store; and nobody who had it before finds a way back.
    for (const folder of [paths.allTemporary, paths.allTrash]) await disk.emptyDirectory(folder);
    signal?.throwIfAborted();
    await removeUnfinished(disk, root);
    for (const folder of [paths.temporary, paths.trash, paths.agents]) {
      await disk.makeDirectory(folder);
    }
    if (version !== FOLDER_FORMAT) await writeMarker(paths, disk);
    await disk.syncDirectory(root);
    return { lock, paths };
  } catch (error) {
    await lock.release().catch(() => undefined);
    throw error;
  }
}

/** Changes nothing: neither is there a lock, nor is anything made. */
export async function openForReading(root: string, disk: Disk): Promise<Paths> {
  const paths = new Paths(root);
  if ((await readMarker(paths, disk)) !== undefined) return paths;
  await refuseForeign(root, disk);
  throw new StoreConfigError(
    `baseDir: there is no store in "${root}" to be read. Check the path; without { readOnly: true } one is made there.`,
  );
}

async function makeRoot(root: string, disk: Disk): Promise<void> {
  try {
    await disk.makeDirectory(root);
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
  }
  throw new StoreConfigError(
    `baseDir: "${root}" can't be a store's folder, because a part of that path is a file.`,
  );
}

/**
 * The file that says which format the folder has; undefined in a new one. Older code refuses a newer format. What
 * is of an older one is written anew when it is next written to.
 */
async function readMarker(paths: Paths, disk: Disk): Promise<number | undefined> {
  const text = (await disk.read(paths.marker))?.toString();
  if (text === undefined) {
    if (((await disk.namesIn(paths.agents)) ?? []).length > 0)
      throw unknownFormat(paths.marker, 'is missing');
    return undefined;
  }
  const version = parseVersion(text);
  if (version === undefined) throw unknownFormat(paths.marker, "isn't what the store wrote");
  if (version > FOLDER_FORMAT) {
    throw new SchemaVersionError(
      `The store in "${paths.root}" has format ${version}, and this version of the package knows formats up to ${FOLDER_FORMAT}. Install a newer version.`,
    );
  }
  return version;
}

async function writeMarker(paths: Paths, disk: Disk): Promise<void> {
  const made = join(paths.temporary, 'store.json');
  await disk.writeWhole(made, `${JSON.stringify({ store: 'kode', format: FOLDER_FORMAT })}\n`);
  await disk.move(made, paths.marker);
}

function parseVersion(text: string): number | undefined {
  try {
    const marker: { store?: unknown; format?: unknown } | null = JSON.parse(text);
    return marker?.store === 'kode' && Number.isSafeInteger(marker.format)
      ? Number(marker.format)
      : undefined;
  } catch {
    return undefined;
  }
}

function unknownFormat(path: string, problem: string): CorruptDataError {
  return new CorruptDataError(
    `The file "${path}" ${problem}: without it the format of the store's folder is unknown. Restore it from a backup.`,
  );
}
