import type { Clock } from '../../../src/model/clock.ts';
import type { SqlStore } from '../../../src/sql/store.ts';
import type { ExtendedStore } from '../../../src/store/store.ts';

/** What a part of the drive works with. */
export interface Stores {
  readonly store: ExtendedStore;
  /** The same database as another process sees it: what one of them remembers, the other may change. */
  readonly other: ExtendedStore;
  /** A store on that database that remembers nothing. Its time is the clock's, where one is given. */
  fresh(clock?: Clock): SqlStore;
  /** Changes rows behind the stores' backs. */
  tamper(text: string, params: readonly (string | number)[]): Promise<void>;
}

export async function withFresh<T>(
  { fresh }: Stores,
  work: (store: SqlStore) => Promise<T>,
  clock?: Clock,
): Promise<T> {
  const store = fresh(clock);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
