import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { POSTGRES_MAJOR, removeRedirectingVariables, TEST_POSTGRES_URL } from './environment.ts';
import type { PostgresMajor } from './postgres-binaries.ts';
import type { PostgresServer, PostgresServerOptions } from './postgres-server.ts';
import { startPostgres } from './postgres-server.ts';

/** A server for the tests. */
export interface PostgresTarget {
  /** A database on which the tests may create schemas. */
  url: string;
  /** The tests started the server themselves: they may create databases and roles, and end connections. */
  own: boolean;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** PostgreSQL 15, where text is compared by bytes and the session is in UTC. */
    postgres15: PostgresTarget;
    /** PostgreSQL 18 (or the one that the matrix is at), with an ICU locale and a time zone other than UTC. */
    postgres18: PostgresTarget;
  }
}

/** Two test files run at a time, each with several small pools. */
const CONNECTIONS = { max_connections: '200' };
const SERVERS = {
  postgres15: { major: 15, settings: CONNECTIONS },
  // What hides behind bytes and UTC shows here: another order of text, a zone off by 5:45 hours.
  postgres18: {
    major: newestMajor(),
    icuLocale: 'en-US',
    settings: { ...CONNECTIONS, timezone: 'Asia/Kathmandu' },
  },
} as const satisfies Record<string, PostgresServerOptions>;

let started: PostgresServer[] = [];

function newestMajor(): PostgresMajor {
  return (Number(process.env[POSTGRES_MAJOR]) || 18) as PostgresMajor;
}

export async function setup(project: TestProject): Promise<void> {
  const url = process.env[TEST_POSTGRES_URL]?.trim();
  removeRedirectingVariables();
  if (url) {
    await checkCallersServer(url);
    project.provide('postgres15', { url, own: false });
    project.provide('postgres18', { url, own: false });
    return;
  }
  const [postgres15, postgres18] = await startBoth();
  project.provide('postgres15', { url: postgres15.url, own: true });
  project.provide('postgres18', { url: postgres18.url, own: true });
}

export async function teardown(): Promise<void> {
  await Promise.all(started.map((server) => server.stop()));
  started = [];
}

async function startBoth(): Promise<[PostgresServer, PostgresServer]> {
  const results = await Promise.allSettled([
    startPostgres(SERVERS.postgres15),
    startPostgres(SERVERS.postgres18),
  ]);
  started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [first, second] = results;
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value];
  await teardown();
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  throw new Error(`The tests need PostgreSQL and could not start it.\n${reasons.join('\n')}`);
}

async function checkCallersServer(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    await client.query('select 1');
  } catch (error) {
    throw new Error(
      `The tests can't use the server that ${TEST_POSTGRES_URL} names: ${String(error)}. ` +
        'Correct the URL, or unset the variable to let the tests start servers of their own.',
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
