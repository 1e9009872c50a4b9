/**
 * How many conversations are worked on at a time: commits that arrive together share a sync on SQLite, and
 * waits for the server overlap on PostgreSQL.
 */
const LANES = 8;

/** Runs the work on every item, some at a time. After a failure no new item is begun, and it is thrown. */
export async function eachConcurrently<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failed = false;
  const lane = async () => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: LANES }, lane));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
}
