import type { PoolClient, QueryConfig } from 'pg';
import type { Shapes } from '../sql/port/driver.ts';
import type { Shape } from '../sql/port/statement.ts';
import type { SqlValue } from '../sql/port/values.ts';
import { LAST_WORD_MS } from './cancel.ts';
import { isCancelled, saysNothingStored, sparesSession } from './errors.ts';
import { abortedBefore, GivenUp } from './given-up.ts';
import { roomForName } from './prepared-names.ts';
import { type Limit, StatementWait, signalOf } from './statement-wait.ts';
import type { Waits } from './waits.ts';

/** What a connection needs of the store that works on it. */
export interface Surroundings {
  readonly waits: Waits;
  /** Asks the server to cancel what runs on the client's session. */
  readonly cancel: (client: PoolClient) => void;
  /** `pg` would give queries up by itself, where nobody hears the server's answer any more. */
  readonly hasQueryTimeout: boolean;
}

/** As long as a timer of Node can be. */
const NO_QUERY_TIMEOUT = { query_timeout: 2 ** 31 - 1 };

/** What the types of `pg` leave out. */
interface Refable {
  ref?(): void;
  unref?(): void;
}

/** Clients whose connection ended while it was taken. */
const ended = new WeakSet<object>();

/** One function for all of them, because it is added and removed at every call. */
function noteEnd(this: object): void {
  ended.add(this);
}

/**
 * A connection while one unit of work has it. `pg.Pool.query` drops the connection at any error; here one
 * that errors of normal work don't harm is kept, with the statements that are prepared on it.
 */
export class Connection {
  readonly #client: PoolClient;
  readonly #surroundings: Surroundings;
  /** For each statement. */
  readonly #limit: Limit;
  /** Why it is to be dropped. */
  #unfit: Error | undefined;
  #inTransaction = false;
  #inDoubt = false;

  constructor(client: PoolClient, surroundings: Surroundings, limit: Limit) {
    this.#client = client;
    this.#surroundings = surroundings;
    this.#limit = limit;
    client.on('error', noteEnd);
  }

  /** It ended by itself. */
  get hasEnded(): boolean {
    return ended.has(this.#client);
  }

  /** Nothing stands against using it again. */
  get isFit(): boolean {
    return this.#unfit === undefined && !this.hasEnded;
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /** A statement that commits what was written has been sent, and the server hasn't said what became of it. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  async rows<S extends Shape>(shape: S, config: QueryConfig): Promise<Shapes[S][]> {
    // Outside of a transaction, every statement commits itself.
    const commits = !this.#inTransaction;
    if (commits) this.#inDoubt = true;
    let rows: Shapes[S][];
    try {
      if (shape === 'objects') rows = (await this.#query<Shapes[S]>(config, this.#limit)) as Shapes[S][];
      else {
        const arrays = await this.#query<SqlValue[]>({ ...config, rowMode: 'array' }, this.#limit);
        rows = (shape === 'arrays' ? arrays : arrays.map(([value = null]) => value)) as Shapes[S][];
      }
    } catch (error) {
      if (!sparesSession(error)) this.#unfit ??= error as Error;
      if (commits && saysNothingStored(error)) this.#inDoubt = false;
      throw error;
    }
    if (commits) this.#inDoubt = false;
    return rows;
  }

  async transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    this.#inTransaction = true;
    try {
      await this.rows('objects', { text: begin });
      const result = await work();
      this.#inTransaction = false;
      await this.rows('objects', { text: 'COMMIT' });
      return result;
    } catch (error) {
      // The server rolls back by itself when the connection is dropped.
      if (!this.#unfit) await this.#rollBack();
      throw error;
    }
  }

  /** After an error that is made good: the connection is kept all the same. */
  forgive(error: unknown): void {
    if (this.#unfit === error) this.#unfit = undefined;
  }

  /** Whether it keeps the process alive while nothing runs on it. */
  ref(): void {
    (this.#client as Refable).ref?.();
  }

  unref(): void {
    (this.#client as Refable).unref?.();
  }

  release(): void {
    this.#client.off('error', noteEnd);
    this.ref();
    this.#client.release(this.#unfit ?? this.hasEnded);
  }

  /**
   * By callback: the client's own promises keep results alive for longer, and going through a million messages
   * took 90 MB with them instead of 33.
   */
  #query<R>(config: QueryConfig & { rowMode?: 'array' }, limit: Limit): Promise<R[]> {
    const signal = signalOf(limit);
    if (signal?.aborted) return Promise.reject(abortedBefore(signal));
    return new Promise((resolve, reject) => {
      const wait = new StatementWait(limit, this.#surroundings.waits, {
        cancel: () => {
          // The request may come late, and then ends whatever runs on the session next.
          this.#unfit ??= new Error('A cancel request is under way to this session');
          this.#surroundings.cancel(this.#client);
        },
        fail: (error) => {
          this.#client.connection?.stream.destroy();
          reject(error);
        },
      });
      this.#client.query(this.#asSent(config), (error: Error | null, result: { rows: unknown[] }) => {
        const why = wait.end();
        if (!error) resolve(result.rows as R[]);
        else reject(why && isCancelled(error) ? new GivenUp(why, { answered: true, cause: error }) : error);
      });
    });
  }

  #asSent<C extends QueryConfig>(config: C): C {
    const { hasQueryTimeout } = this.#surroundings;
    const asked = hasQueryTimeout ? { ...config, ...NO_QUERY_TIMEOUT } : config;
    if (asked.name === undefined || roomForName(this.#client, asked.name)) return asked;
    const { name: _, ...nameless } = asked;
    return nameless as C;
  }

  async #rollBack(): Promise<void> {
    await this.#query({ text: 'ROLLBACK' }, { timeoutMs: LAST_WORD_MS }).catch((error: Error) => {
      this.#unfit ??= error;
    });
  }
}
