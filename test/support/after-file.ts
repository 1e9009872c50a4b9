const cleanups: (() => Promise<void>)[] = [];

/**
 * Runs `cleanup` once the tests of the file that is under way have ended, whether it is called while they are
 * registered or while they run, by the file or by a module that many of them share.
 */
export function afterFile(cleanup: () => Promise<void>): void {
  cleanups.push(cleanup);
}

/** For the worker, after each file. */
export async function cleanUpAfterFile(): Promise<void> {
  const results = await Promise.allSettled(cleanups.splice(0).map((cleanup) => cleanup()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
