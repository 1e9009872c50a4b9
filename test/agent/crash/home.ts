import type { ExtendedStore } from '../../../src/store/store.ts';
import { makeTemporaryDirectory, removeDirectory } from '../../support/temporary.ts';
import { type Script, startProvider, type TestProvider } from '../provider/provider.ts';
import { type Ground, type Home, openAt, type Place } from './place.ts';

/** A store, as long as the work takes. */
export async function withStore<T>(place: Place, work: (store: ExtendedStore) => Promise<T>): Promise<T> {
  const store = await openAt(place);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Homes, as long as the work takes. */
export async function withHomes<T>(
  ground: Ground,
  count: number,
  work: (homes: Home[]) => Promise<T>,
): Promise<T> {
  const homes: Home[] = [];
  try {
    for (let n = 0; n < count; n += 1) {
      const directory = await makeTemporaryDirectory();
      homes.push({ place: await ground.make(), agentId: 'writer', directory });
    }
    return await work(homes);
  } finally {
    for (const { place, directory } of homes) {
      await ground.remove(place);
      await removeDirectory(directory);
    }
  }
}

/** A provider for each script, as long as the work takes. */
export async function withProviders<T>(
  scripts: Script[],
  work: (providers: TestProvider[]) => Promise<T>,
): Promise<T> {
  const providers = await Promise.all(scripts.map((script) => startProvider('anthropic', script)));
  try {
    return await work(providers);
  } finally {
    for (const provider of providers) await provider.stop();
  }
}
