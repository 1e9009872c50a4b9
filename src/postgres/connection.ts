import type { Pool, PoolClient, QueryConfig } from 'pg';
import type { Shapes, SqlValue } from '../sql/driver.ts';
import type { Shape } from '../sql/statement.ts';
import { sparesSession } from './errors.ts';

/**
 * Takes a connection of the pool, to be released. By callback: right before it the pool stops listening for
 * errors of the client, and an error that nobody listens for ends the process. A promise's `then` is too late.
 */
export function checkOut(pool: Pool): Promise<Connection> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client) resolve(new Connection(client));
      else reject(error);
    });
  });
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
  /** Why it is to be dropped. */
  #unfit: Error | undefined;
  #inTransaction = false;

  constructor(client: PoolClient) {
    this.#client = client;
    client.on('error', noteEnd);
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  async rows<S extends Shape>(shape: S, config: QueryConfig): Promise<Shapes[S][]> {
    try {
      if (shape === 'objects') return (await this.#query<Shapes[S]>(config)) as Shapes[S][];
      const rows = await this.#query<SqlValue[]>({ ...config, rowMode: 'array' });
      return (shape === 'arrays' ? rows : rows.map(([value = null]) => value)) as Shapes[S][];
    } catch (error) {
      if (!sparesSession(error)) this.#unfit ??= error as Error;
      throw error;
    }
  }

  /**
   * By callback: the client's own promises keep results alive for longer, and going through a million messages
   * took 90 MB with them instead of 33.
   */
  #query<R>(config: QueryConfig & { rowMode?: 'array' }): Promise<R[]> {
    return new Promise((resolve, reject) => {
      this.#client.query(config, (error: Error | null, result: { rows: unknown[] }) => {
        if (error) reject(error);
        else resolve(result.rows as R[]);
      });
    });
  }

  async transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    this.#inTransaction = true;
    try {
      await this.rows('objects', { text: begin });
      const result = await work();
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

  release(): void {
    this.#client.off('error', noteEnd);
    this.#client.release(this.#unfit ?? ended.has(this.#client));
  }

  async #rollBack(): Promise<void> {
    await this.#client.query('ROLLBACK').catch((error: Error) => {
      this.#unfit = error;
    });
  }
}
