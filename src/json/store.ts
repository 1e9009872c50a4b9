import { resolve } from 'node:path';
import { StoreConfigError } from '../errors.ts';
import { CLOCK, clockOf } from '../model/clock.ts';
import { CheckedStore } from '../store/checked-store.ts';
import { checkHolderOption } from '../store/holder-option.ts';
import { Engine } from './engine.ts';
import { explainFileError } from './file-errors.ts';
import type { Durability } from './log-file.ts';
import { JsonTrustingStore } from './trusting-store.ts';

export interface JSONStoreOptions {
  /**
   * `full` (the default): a commit that was acknowledged survives a power cut. `normal`: it survives the
   * end of the process; a power cut may take the last ones.
   */
  durability?: Durability | undefined;
  /** Under which name leases are held, for others to see, unless a call says another. */
  holder?: string | undefined;
}

/**
 * Keeps agents in a folder of JSON files, for one process at a time: no database, no queries. The folder
 * is opened by the first call.
 *
 * @example
 * const store = new JSONStore('./data/store');
 */
export class JSONStore extends CheckedStore<JsonTrustingStore> {
  readonly #root: string;
  readonly #durability: Durability;
  readonly #holder: string | undefined;

  constructor(baseDir: string, options: JSONStoreOptions = {}) {
    super(clockOf(options));
    if (typeof baseDir !== 'string' || baseDir.trim() === '') {
      throw new StoreConfigError('baseDir: must be the path of a folder.');
    }
    const { durability = 'full' } = options;
    if (durability !== 'full' && durability !== 'normal') {
      throw new StoreConfigError('durability: must be "full" or "normal".');
    }
    this.#root = resolve(baseDir);
    this.#durability = durability;
    this.#holder = checkHolderOption(options.holder);
  }

  protected async openBackend(): Promise<JsonTrustingStore> {
    const { closing } = this.lifecycle;
    const engine = await Engine.open(this.#root, {
      durability: this.#durability,
      clock: this[CLOCK],
      signal: closing,
      holder: this.#holder,
    });
    // Whoever waits for a lease would keep the store from closing.
    if (closing.aborted) engine.leases.refuse();
    else closing.addEventListener('abort', () => engine.leases.refuse(), { once: true });
    const leave = () => {
      // The next call finds out who has the folder now, or takes it back.
      this.opening.forget();
      engine.abandon();
    };
    engine.lost.addEventListener('abort', leave, { once: true });
    return new JsonTrustingStore(engine, this[CLOCK]);
  }

  protected override explain(error: unknown): unknown {
    return explainFileError(error, this.#root);
  }
}
