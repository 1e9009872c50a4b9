import type { SqlStore } from '../../../src/sql/store.ts';
import type { ExtendedStore } from '../../../src/store/store.ts';

/** What a part of the drive works with. */
export interface Stores {
  readonly store: ExtendedStore;
  /** The same database as another process sees it: what one of them remembers, the other may change. */
  readonly other: ExtendedStore;
  /** A store on that database that remembers nothing. */
  fresh(): SqlStore;
  /** Changes rows behind the stores' backs. */
  tamper(text: string, params: readonly (string | number)[]): Promise<void>;
}

export async function withFresh<T>({ fresh }: Stores, work: (store: SqlStore) => Promise<T>): Promise<T> {
  const store = fresh();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
