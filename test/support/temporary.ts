import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function makeTemporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'kode-test-'));
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
