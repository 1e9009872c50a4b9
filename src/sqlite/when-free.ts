import { isBusy } from './errors.ts';

/**
 * Between two attempts at a file that another process has locked. Most locks last for a commit, which takes about
 * a millisecond and a sync; at random, so that those who wait don't come back all at once.
 */
const RETRY_MS = 2;

/**
 * Repeats `work` while another process has the file locked. SQLite's own busy handler sleeps on the event loop,
 * so it is off, and the waiting is done here.
 */
export async function whenFree<T>(work: () => T, busyTimeoutMs: number): Promise<T> {
  const deadline = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
    }
    await retryPause();
  }
}

export function retryPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS * (0.5 + Math.random())));
}
