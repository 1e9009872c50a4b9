import type { Connection } from './connection.ts';
import { codeOf } from './errors.ts';
import type { Wait } from './gate.ts';
import type { Line, Source } from './line.ts';
import type { Limit } from './statement-wait.ts';

/**
 * A way to the database for what has to go through in time, whatever else waits: the renewal of leases. While
 * leases are held one connection stays with it. In a pool of ours it is one more than the others may have; in
 * a pool of the caller's it is one of them for all stores on it, where there is another. Where none can be kept,
 * it goes first.
 */
export class KeptConnection implements Source {
  readonly #line: Line;
  readonly #ownsPool: boolean;
  #users = 0;
  #kept: Connection | undefined;
  #asideTaken = false;

  constructor(line: Line, ownsPool: boolean) {
    this.#line = line;
    this.#ownsPool = ownsPool;
  }

  /** Keeps a connection from now on, until all who asked for it have let go by what this returns. */
  keep(limit: Limit, wait: Wait): () => void {
    this.#users += 1;
    // Whoever comes next tries again.
    this.take(limit, wait).then((connection) => this.giveBack(connection, true), ignore);
    let holds = true;
    return () => {
      if (!holds) return;
      holds = false;
      this.#users -= 1;
      if (this.#users === 0) this.#letGo();
    };
  }

  async take(limit: Limit, wait: Wait): Promise<Connection> {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept && !kept.hasEnded) {
      kept.ref();
      return kept;
    }
    if (kept) this.#release(kept, false);
    return (await this.#takeAside(limit, wait)) ?? this.#line.take(limit, { ...wait, urgent: true });
  }

  giveBack(connection: Connection, served: boolean): void {
    if (this.#users > 0 && !this.#kept && connection.isFit && this.#line.mayKeep(connection)) {
      this.#kept = connection;
      // It rests: whoever holds leases and has nothing else to do may end.
      connection.unref();
    } else {
      this.#release(connection, served);
    }
  }

  async #takeAside(limit: Limit, wait: Wait): Promise<Connection | undefined> {
    if (!this.#ownsPool || this.#asideTaken) return undefined;
    this.#asideTaken = true;
    try {
      return await this.#line.takeAside(limit, wait);
    } catch (error) {
      this.#asideTaken = false;
      // The server has no room for it: then one of the others has to do.
      if (codeOf(error).startsWith('53')) return undefined;
      throw error;
    }
  }

  #letGo(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept) this.#release(kept, true);
  }

  #release(connection: Connection, served: boolean): void {
    if (this.#line.isAside(connection)) this.#asideTaken = false;
    this.#line.giveBack(connection, served);
  }
}

function ignore(): void {}
