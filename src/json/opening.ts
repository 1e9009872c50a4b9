import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptDataError, SchemaVersionError, StoreConfigError } from '../errors.ts';
import { emptyDirectory, errorCode, move, namesIn, syncDirectory, writeWhole } from './files.ts';
import { StoreLock } from './lock.ts';
import type { Paths } from './paths.ts';

const FORMAT = 1;

/** Makes the folder ready for use by this process alone. The lock is the caller's to release. */
export async function openFolder(paths: Paths): Promise<StoreLock> {
  await makeRoot(paths.root);
  const lock = await StoreLock.acquire(paths.root);
  try {
    await checkMarker(paths);
    for (const folder of [paths.agents, paths.ancestors]) await mkdir(folder, { recursive: true });
    // What a crash left half done was never part of the store.
    for (const folder of [paths.temporary, paths.trash]) await emptyDirectory(folder);
    await syncDirectory(paths.root);
    return lock;
  } catch (error) {
    await lock.release().catch(() => undefined);
    throw error;
  }
}

async function makeRoot(root: string): Promise<void> {
  try {
    await mkdir(root, { recursive: true });
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
  }
  throw new StoreConfigError(
    `baseDir: "${root}" can't be a store's folder, because a part of that path is a file.`,
  );
}

/** The file that says which format the folder has; written before anything else in it. */
async function checkMarker(paths: Paths): Promise<void> {
  let text: string;
  try {
    text = await readFile(paths.marker, 'utf8');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    if ((await namesIn(paths.agents)).length > 0) throw unknownFormat(paths.marker, 'is missing');
    await writeMarker(paths);
    return;
  }
  const version = readVersion(text);
  if (version === undefined) throw unknownFormat(paths.marker, "isn't what the store wrote");
  if (version > FORMAT) {
    throw new SchemaVersionError(
      `The store in "${paths.root}" has format ${version}, and this version of the package knows formats up to ${FORMAT}. Install a newer version.`,
    );
  }
}

async function writeMarker(paths: Paths): Promise<void> {
  await mkdir(paths.temporary, { recursive: true });
  const made = join(paths.temporary, 'store.json');
  await writeWhole(made, `${JSON.stringify({ store: 'kode', format: FORMAT })}\n`);
  await move(made, paths.marker);
}

function readVersion(text: string): number | undefined {
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
