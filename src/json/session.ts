import type { Clock } from '../model/clock.ts';
import { Lifecycle } from '../store/lifecycle.ts';
import { Engine } from './engine.ts';
import { explainFileError } from './files.ts';
import type { Durability } from './log-file.ts';
import type { Paths } from './paths.ts';

/** From the first call, which opens the folder, to close(), which waits for what is under way. */
export class Session {
  readonly #paths: Paths;
  readonly #durability: Durability;
  readonly #clock: Clock;
  readonly #lifecycle: Lifecycle;
  #engine: Promise<Engine> | undefined;

  constructor(paths: Paths, durability: Durability, clock: Clock) {
    this.#clock = clock;
    this.#lifecycle = new Lifecycle(clock);
    this.#paths = paths;
    this.#durability = durability;
  }

  async run<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    try {
      // There are no metrics to tell one kind of call from another.
      return await this.#lifecycle.run('call', () => this.#open().then(work));
    } catch (error) {
      throw explainFileError(error, this.#paths.root);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#lifecycle.close(() => this.#end());
    } catch (error) {
      throw explainFileError(error, this.#paths.root);
    }
  }

  #open(): Promise<Engine> {
    this.#engine ??= this.#openFolder();
    return this.#engine;
  }

  async #openFolder(): Promise<Engine> {
    const { closing } = this.#lifecycle;
    try {
      const engine = await Engine.open(this.#paths, this.#durability, this.#clock);
      // Whoever waits for a lease would keep the store from closing.
      if (closing.aborted) engine.leases.refuse();
      else closing.addEventListener('abort', () => engine.leases.refuse(), { once: true });
      return engine;
    } catch (error) {
      // The next call tries again: a folder that was in use may be free by then.
      this.#engine = undefined;
      throw error;
    }
  }

  async #end(): Promise<void> {
    const engine = await this.#engine;
    if (!engine) return;
    engine.leases.close();
    await engine.close();
  }
}
