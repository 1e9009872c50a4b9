import type { Pool } from 'pg';
import type { Connection, Surroundings } from './connection.ts';
import { isRetryable } from './errors.ts';
import type { Wait } from './gate.ts';
import { GivenUp } from './given-up.ts';
import { KeptConnection } from './kept-connection.ts';
import { Line, type Source } from './line.ts';
import type { Limit } from './statement-wait.ts';
import { type Endpoint, translate } from './translate.ts';

/** Deadlocks and serialization failures aren't the caller's business, up to so many in a row. */
export const MAX_TRIES = 6;

/** A named statement was lost within a transaction, which is aborted: begin it anew without names. */
export class LostStatement extends Error {
  constructor(cause: unknown) {
    super('A named statement was lost', { cause });
  }
}

export interface UnitKind {
  /** It stores something. */
  readonly writes: boolean;
  /** For each of its statements. */
  readonly limit: Limit;
  /** It has a connection of its own, or goes first. */
  readonly urgent?: boolean;
}

export interface UnitsOptions {
  readonly pool: Pool;
  /** A pool of the store's own has one connection more than it says, for what is urgent. */
  readonly ownsPool: boolean;
  readonly endpoint: Endpoint;
  readonly schema: string;
  readonly callTimeoutMs: number;
  readonly maxQueuedCalls: number;
  readonly surroundings: Surroundings;
}

/** Runs what takes one connection of the pool: a statement or a transaction. */
export class Units {
  readonly #line: Line;
  readonly #kept: KeptConnection;
  readonly #options: UnitsOptions;

  constructor(options: UnitsOptions) {
    const { pool, ownsPool, surroundings } = options;
    this.#options = options;
    this.#line = new Line(pool, ownsPool ? 1 : 0, surroundings);
    this.#kept = new KeptConnection(this.#line, ownsPool);
  }

  /** Deadlocks and serialization failures roll everything back, so the unit as a whole is run again. */
  async run<T>(
    { writes, limit, urgent = false }: UnitKind,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const { endpoint, schema } = this.#options;
    const wait = this.#wait(limit, urgent);
    const source: Source = urgent ? this.#kept : this.#line;
    for (let tries = 1; ; tries += 1) {
      let connection: Connection | undefined;
      try {
        connection = await source.take(limit, wait);
        const result = await work(connection);
        source.giveBack(connection, true);
        return result;
      } catch (error) {
        if (connection) source.giveBack(connection, !(error instanceof GivenUp));
        const worthIt = isRetryable(error) || error instanceof LostStatement;
        if (tries >= MAX_TRIES || !worthIt) {
          throw translate(error, { endpoint, schema, writes, inDoubt: connection?.inDoubt ?? false });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 2 ** tries * Math.random()));
    }
  }

  /** Keeps a connection for what is urgent, until it is let go of. */
  keep(limit: Limit): () => void {
    return this.#kept.keep(limit, this.#wait(limit, true));
  }

  /** Ends all that is under way. */
  endAll(): void {
    this.#options.surroundings.waits.endAll();
  }

  #wait(limit: Limit, urgent: boolean): Wait {
    const { callTimeoutMs, maxQueuedCalls: mostWaiting } = this.#options;
    // Also work that may take long has to get its connection in time.
    const patienceMs = 'timeoutMs' in limit ? limit.timeoutMs : callTimeoutMs;
    return { patienceMs, urgent, mostWaiting };
  }
}
