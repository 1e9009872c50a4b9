import type { Pool } from 'pg';
import { Connection, type Surroundings } from './connection.ts';
import { isConnectionTimeout } from './errors.ts';
import { type Gate, gateOf, type Turn, type Wait } from './gate.ts';
import { abortedBefore, GivenUp } from './given-up.ts';
import { type Limit, signalOf } from './statement-wait.ts';

/** Where units of work get their connection, and give it back. */
export interface Source {
  /** To be followed by `giveBack`. */
  take(limit: Limit, wait: Wait): Promise<Connection>;
  /** `served`: the unit's end says that the database is at work. */
  giveBack(connection: Connection, served: boolean): void;
}

/** The connections of a pool, in turn and within a bound. */
export class Line implements Source {
  readonly #pool: Pool;
  readonly #gate: Gate;
  readonly #surroundings: Surroundings;
  readonly #aside = new WeakSet<Connection>();
  #kept: Connection | undefined;

  /** `aside`: how many connections the pool has for `takeAside`. */
  constructor(pool: Pool, aside: number, surroundings: Surroundings) {
    this.#pool = pool;
    this.#gate = gateOf(pool, aside);
    this.#surroundings = surroundings;
  }

  async take(limit: Limit, wait: Wait): Promise<Connection> {
    // A signal that has aborted says so to nobody who begins to listen.
    const signal = signalOf(limit);
    if (signal?.aborted) throw abortedBefore(signal);
    const turn =
      this.#gate.enter() ?? (await this.#gate.turn(wait, (refuse) => this.#endEarly(limit, refuse)));
    return this.#checkOut(turn, limit, wait.patienceMs);
  }

  /** One that isn't for those who wait in line. */
  async takeAside(limit: Limit, { patienceMs }: Wait): Promise<Connection> {
    const connection = await this.#checkOut(undefined, limit, patienceMs);
    this.#aside.add(connection);
    return connection;
  }

  isAside(connection: Connection): boolean {
    return this.#aside.has(connection);
  }

  /** Whether a connection may be kept, until it is given back, although others wait in line. */
  mayKeep(connection: Connection): boolean {
    if (this.#aside.has(connection) || this.#kept === connection) return true;
    if (this.#kept || !this.#gate.keepOne()) return false;
    this.#kept = connection;
    return true;
  }

  giveBack(connection: Connection, served: boolean): void {
    connection.release();
    if (this.#kept === connection) {
      this.#kept = undefined;
      this.#gate.keepNone();
    }
    if (this.#aside.has(connection)) return;
    if (served) this.#gate.leave();
    else this.#gate.leaveUnserved();
  }

  /**
   * By callback: right before it the pool stops listening for errors of the client, and an error that nobody
   * listens for ends the process. A promise's `then` is too late.
   */
  #checkOut(turn: Turn | undefined, limit: Limit, patienceMs: number): Promise<Connection> {
    const signal = signalOf(limit);
    if (signal?.aborted) {
      if (turn) this.#gate.leaveUnserved();
      return Promise.reject(abortedBefore(signal));
    }
    return new Promise((resolve, reject) => {
      let waiting = true;
      const over = () => {
        waiting = false;
        clearTimeout(timer);
        forget();
      };
      const giveUp = (error: unknown) => {
        over();
        reject(error);
      };
      const forget = this.#endEarly(limit, giveUp);
      // The pool gives up by itself, where it has been told when.
      const timer = this.#pool.options.connectionTimeoutMillis
        ? undefined
        : setTimeout(() => giveUp(noConnection(patienceMs)), patienceMs);
      this.#pool.connect((error, client) => {
        if (!waiting) {
          // Until now the request had a place in the pool's own line.
          client?.release();
          if (turn) this.#gate.leaveUnserved();
          return;
        }
        over();
        if (client) {
          resolve(new Connection(client, this.#surroundings, limit));
          return;
        }
        if (turn && isConnectionTimeout(error)) this.#gate.giveUp(turn, error);
        else if (turn) this.#gate.leave();
        reject(error);
      });
    });
  }

  /** Ends a wait with the store, or with the caller's signal. Returns how that is forgotten when it is over. */
  #endEarly(limit: Limit, refuse: (reason: unknown) => void): () => void {
    const { waits } = this.#surroundings;
    const close = () => refuse(new GivenUp({ kind: 'closed' }, { answered: false }));
    waits.add(close);
    const signal = signalOf(limit);
    if (!signal) return () => waits.delete(close);
    const abort = () => refuse(abortedBefore(signal));
    signal.addEventListener('abort', abort);
    return () => {
      waits.delete(close);
      signal.removeEventListener('abort', abort);
    };
  }
}

function noConnection(timeoutMs: number): GivenUp {
  return new GivenUp({ kind: 'no connection', timeoutMs }, { answered: false });
}
