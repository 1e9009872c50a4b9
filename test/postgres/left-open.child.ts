import pg from 'pg';
import { PostgresStore } from '../../src/postgres/store.ts';

/** Uses a store in each way that leaves something open, holds a lease, and forgets to close it. */
const [url = '', schema = '', pool] = process.argv.slice(2);
const options = { schema };
const store =
  pool === 'own'
    ? new PostgresStore({ connectionString: url, max: 2, idleTimeoutMillis: 0 }, undefined, options)
    : new PostgresStore(
        new pg.Pool({ connectionString: url, max: 2, idleTimeoutMillis: 0, allowExitOnIdle: true }),
        undefined,
        options,
      );
await store.saveInfo('a', {});
const lease = await store.acquireAgentLock('a', { ttlMs: 300 });
for await (const _ of store.watch('a', { signal: AbortSignal.timeout(700) })) break;
console.log(lease.signal.aborted ? 'lost' : 'held');
