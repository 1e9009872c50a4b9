import pg from 'pg';

/** A pool for one store at a time. */
export interface KeptPool {
  pool: pg.Pool;
  /** Once the store is closed. */
  giveBack(): void;
}

/**
 * Pools whose connections outlive the stores on them: to start a process of the server, and to read the
 * catalogue into its memory, takes it ten times as long as all that most tests ask of it.
 */
export class KeptPools {
  readonly #options: pg.PoolConfig;
  readonly #all: pg.Pool[] = [];
  readonly #idle: pg.Pool[] = [];

  constructor(options: pg.PoolConfig) {
    // Only its end ends a connection, not that it rested while other tests ran.
    this.#options = { ...options, idleTimeoutMillis: 0 };
  }

  take(): KeptPool {
    const pool = this.#idle.pop() ?? this.#make();
    return { pool, giveBack: () => void this.#idle.push(pool) };
  }

  async end(): Promise<void> {
    this.#idle.length = 0;
    await Promise.all(this.#all.splice(0).map((pool) => pool.end()));
  }

  #make(): pg.Pool {
    const pool = new pg.Pool(this.#options);
    // A resting connection that a test ends must not end the run; the next call has another one.
    pool.on('error', () => undefined);
    this.#all.push(pool);
    return pool;
  }
}
