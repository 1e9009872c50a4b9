import { CLOCK, type Clock } from '../model/clock.ts';
import { validateAgentId } from '../model/ids.ts';
import { Lifecycle, type Paged, type Settling } from '../store/lifecycle.ts';
import { type AgentState, readState } from './agent-state.ts';
import type { AgentKeys } from './directory.ts';
import type { Script } from './driver.ts';
import type { Engine } from './engine.ts';

/**
 * The life of a store on a database: connects at the first call, counts and guards every call, and closes.
 * What a database provides itself is `connect`, and where a backup goes.
 */
export abstract class ConnectedStore {
  readonly [CLOCK]: Clock;
  protected readonly lifecycle: Lifecycle;
  #engine: Promise<Engine> | undefined;

  constructor(clock: Clock) {
    this[CLOCK] = clock;
    this.lifecycle = new Lifecycle(clock);
  }

  /** Opens the database and brings its schema up to date. Called once; again after a failure. */
  protected abstract connect(): Promise<Engine>;

  /** Connects now instead of at the first call, so that a wrong configuration shows at once. */
  async open(): Promise<this> {
    await this.lifecycle.run('open', () => this.connected());
    return this;
  }

  close(): Promise<void> {
    return this.lifecycle.close(async () => {
      const engine = await this.#engine?.catch(() => undefined);
      await engine?.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Where files that belong to the store go; undefined when none was given. */
  protected abstract readonly fileStoreDirectory: string | undefined;

  /** Chooses where a backup goes and has it written. */
  protected abstract writeBackup(write: (path: string) => Promise<void>, path?: string): Promise<string>;

  #held: Engine | undefined;
  /** Calls that wait for the connection. */
  #waiting = 0;

  protected leasesHeld(): number {
    return this.#held?.leases.held.count ?? 0;
  }

  protected connected(): Promise<Engine> {
    this.#engine ??= this.connect().then(
      (engine) => {
        this.#held = engine;
        return engine;
      },
      (error: unknown) => {
        // The next call tries again: the server may be up by then.
        this.#engine = undefined;
        throw error;
      },
    );
    return this.#engine;
  }

  protected run<T>(operation: string, work: (engine: Engine) => Promise<T>): Promise<T> {
    return this.lifecycle.run(operation, () => {
      const engine = this.#ready;
      return engine ? work(engine) : this.#whenConnected(work);
    });
  }

  /** The same for calls so small and so many that promises on their way would be most of their cost. */
  protected call<T>(operation: string, work: (engine: Engine, call: Settling<T>) => void): Promise<T> {
    const engine = this.#ready;
    if (engine) return this.lifecycle.call(operation, (call) => work(engine, call));
    return this.run(
      operation,
      (connected) => new Promise((resolve, reject) => work(connected, { resolve, reject })),
    );
  }

  /** What is there for calls to begin at once, unless others still wait that came before. */
  get #ready(): Engine | undefined {
    return this.#waiting === 0 ? this.#held : undefined;
  }

  async #whenConnected<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    this.#waiting += 1;
    let engine: Engine;
    try {
      engine = await this.connected();
    } finally {
      this.#waiting -= 1;
    }
    return work(engine);
  }

  /** Nothing happens, and nothing is refused, before the first step of the iteration. */
  protected iterate<T>(operation: string, source: (engine: Engine) => AsyncIterable<T>): AsyncIterable<T> {
    const connected = () => this.connected();
    return this.lifecycle.iterate(operation, async function* () {
      yield* source(await connected());
    });
  }

  protected iteratePages<R, T>(operation: string, source: (engine: Engine) => Paged<R, T>): AsyncIterable<T> {
    return this.lifecycle.iteratePages(operation, async () => source(await this.connected()));
  }

  /** A read of an agent's state as of one moment. */
  protected load<T>(
    operation: string,
    agentId: string,
    script: (state: AgentState) => Script<T>,
  ): Promise<T> {
    return this.run(operation, async (engine) => {
      validateAgentId(agentId);
      const found = await this.read(engine, agentId, function* (keys) {
        const state = yield* readState(keys);
        return state && { value: yield* script(state) };
      });
      return found.value;
    });
  }

  protected read<T>(
    { context }: Engine,
    agentId: string,
    script: (keys: AgentKeys) => Script<T | undefined>,
  ): Promise<T> {
    return context.directory.resolve(agentId, (keys) => context.driver.snapshot(() => script(keys)));
  }
}
