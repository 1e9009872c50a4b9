import type { Client, Pool, PoolConfig } from 'pg';
import { LAST_WORD_MS } from './cancel.ts';
import { DEFAULT_SIZE } from './gate.ts';

/** `pg`, which is loaded when a store connects. */
type Pg = Pick<typeof import('pg'), 'Pool'>;

/** A connection that has been silent for so long is asked whether its other end is still there. */
const KEEP_ALIVE_MS = 10_000;

/** A pool that the store makes, and ends. */
export interface OwnPool {
  readonly pool: Pool;
  /** Ends it. A server that doesn't answer isn't waited for. */
  end(): Promise<void>;
}

export function createPool(pg: Pg, options: PoolConfig): OwnPool {
  const pool = new pg.Pool({
    keepAlive: true,
    // What may take long is waited for while the server lives. A connection that the network has forgotten breaks
    // by this, instead of after the two hours that are the system's default.
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // A connection that rests doesn't keep the process alive.
    allowExitOnIdle: true,
    ...options,
    // See `KeptConnection`.
    max: (options.max || DEFAULT_SIZE) + 1,
  });
  const clients = new Set<Client>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  return { pool, end: () => end(pool, clients) };
}

/** Each connection says goodbye, and the server closes it, as far as it takes part in that. */
async function end(pool: Pool, clients: ReadonlySet<Client>): Promise<void> {
  const destroyed = new Promise<void>((resolve) => {
    const late = setTimeout(() => {
      for (const client of clients) client.connection.stream.destroy();
      resolve();
    }, LAST_WORD_MS);
    late.unref();
  });
  await Promise.race([pool.end(), destroyed]);
  // The pool doesn't wait for those that rested, and nobody needs to see them go.
  for (const client of clients) (client as { unref?(): void }).unref?.();
}
