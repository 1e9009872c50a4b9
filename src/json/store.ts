import { CLOCK, clockOf } from '../model/clock.ts';
import { CheckedStore } from '../store/checked-store.ts';
import type { JSONStoreOptions } from '../store/config.ts';
import { givenPath } from '../store/paths.ts';
import { configuring } from '../store/settings.ts';
import { Engine } from './engine.ts';
import { explainFileError } from './file-errors.ts';
import { type Settings, settingsOf } from './options.ts';
import { JsonTrustingStore } from './trusting-store.ts';

/**
 * Keeps agents in a folder of JSON files, for one process at a time: no database, no queries. The folder
 * is opened by the first call.
 *
 * @example
 * const store = new JSONStore('./data/store');
 */
export class JSONStore extends CheckedStore<JsonTrustingStore> {
  readonly #root: string;
  readonly #settings: Settings;

  constructor(baseDir: string, options: JSONStoreOptions = {}) {
    super(configuring('options', () => clockOf(options)));
    this.#root = givenPath(baseDir, 'baseDir');
    this.#settings = settingsOf(options);
  }

  protected async openBackend(signal: AbortSignal): Promise<JsonTrustingStore> {
    const { closing } = this.lifecycle;
    const engine = await Engine.open(this.#root, {
      ...this.#settings,
      clock: this[CLOCK],
      signal,
      closing,
    });
    // Whoever waits for a lease would keep the store from closing.
    if (closing.aborted) engine.leases.refuse();
    else closing.addEventListener('abort', () => engine.leases.refuse(), { once: true });
    const leave = () => {
      // The next call finds out who has the folder now, or takes it back.
      this.opening.forget();
      engine.abandon();
    };
    engine.lost?.addEventListener('abort', leave, { once: true });
    return new JsonTrustingStore(engine, this[CLOCK]);
  }

  protected override explain(error: unknown): unknown {
    return explainFileError(error, this.#root);
  }
}
