import { dirname, join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../support/postgres-server.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import type { AnyPlace } from './place.ts';

/** A place to be tortured. */
export interface Ground {
  name: string;
  place: AnyPlace;
  /** What of the server is killed in place of the writer, at every other kill. */
  killServer?: () => Promise<void>;
  /** After a loss, what is there is kept to be looked at. */
  close(keep: boolean): Promise<void>;
}

export const GROUNDS: Record<string, () => Promise<Ground>> = {
  sqlite: () => inFiles('SQLite', 'sqlite', 'agents.db'),
  postgres,
  json: () => inFiles('JSON files', 'json', 'store'),
};

async function inFiles(name: string, kind: 'sqlite' | 'json', file: string): Promise<Ground> {
  const path = join(await makeTemporaryDirectory(), file);
  return {
    name,
    place: { kind, path },
    async close(keep) {
      if (keep) console.error(`${name}: see ${path}`);
      else await removeDirectory(dirname(path));
    },
  };
}

/** With its syncs: without them a server loses what it acknowledged when one of its processes is killed. */
async function postgres(): Promise<Ground> {
  const server = await startPostgres({ major: 18, durable: true, settings: { max_connections: '40' } });
  const schema = 'torture';
  await withClient(server.url, (client) => client.query(`CREATE SCHEMA ${schema}`));
  return {
    name: 'PostgreSQL',
    place: { kind: 'postgres', url: server.url, schema },
    // All other processes of the server end with it, and it recovers.
    killServer: () =>
      withClient(server.url, async (client) => {
        const { rows } = await client.query<{ pid: number }>(
          "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
        const pid = rows[0]?.pid;
        if (pid === undefined) throw new Error('the writer has no connection');
        process.kill(pid, 'SIGKILL');
      }),
    close: () => server.stop(),
  };
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // It may be cut off with the others.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
