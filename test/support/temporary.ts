import { readFileSync, statfsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** What two runs of the tests at a time may need there. */
const ROOM_BYTES = 2 * 1024 ** 3;

let folder: string | undefined;

/**
 * Where the tests' files go: into memory where there is enough of it, since thousands of databases are made
 * and thrown away, and nobody cuts the power. A folder that the caller names in TMPDIR is used instead.
 */
export function temporaryFolder(): string {
  folder ??= process.env.TMPDIR === undefined && memoryIsUsable() ? MEMORY : tmpdir();
  return folder;
}

export async function makeTemporaryDirectory(): Promise<string> {
  return mkdtemp(join(temporaryFolder(), 'kode-test-'));
}

export async function removeDirectory(path: string): Promise<void> {
  // Windows lets go of files a moment after they were closed.
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** Runs with a folder of its own, which is gone afterwards. */
export async function inTemporaryDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await makeTemporaryDirectory();
  try {
    return await work(directory);
  } finally {
    await removeDirectory(directory);
  }
}

function memoryIsUsable(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ROOM_BYTES && mayRunPrograms(MEMORY);
  } catch {
    return false;
  }
}

/** A repaired PostgreSQL runs from its temporary folder. */
function mayRunPrograms(mountPoint: string): boolean {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const options = mounts.map((line) => line.split(' ')).findLast(([, point]) => point === mountPoint)?.[3];
  return options !== undefined && !options.split(',').includes('noexec');
}
