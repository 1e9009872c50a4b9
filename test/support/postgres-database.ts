import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, inject } from 'vitest';

export type PostgresName = 'postgres15' | 'postgres18';

/** A test file's place on a server. */
export interface PostgresDatabase {
  url: string;
  /** For looking at, or disturbing, what a store does. */
  client: pg.Client;
  createSchema(): Promise<string>;
  dropSchema(schema: string): Promise<void>;
}

/**
 * Gives the test file that calls this a database of its own, made when it is first asked for and dropped
 * after the file's tests. On a server that the caller brought, it is the database of the URL, and only
 * schemas of our own are touched there.
 */
export function postgresDatabase(server: PostgresName): () => Promise<PostgresDatabase> {
  let opened: Promise<OpenDatabase> | undefined;
  afterAll(async () => {
    await (await opened)?.drop();
  });
  return () => {
    opened ??= open(server);
    return opened;
  };
}

interface OpenDatabase extends PostgresDatabase {
  drop(): Promise<void>;
}

async function open(server: PostgresName): Promise<OpenDatabase> {
  const target = inject(server);
  const unique = `t_${randomBytes(6).toString('hex')}`;
  const url = target.own ? withDatabase(target.url, unique) : target.url;
  if (target.own) await runOnce(target.url, `create database ${unique}`);
  const client = await connect(url);
  let schemas = 0;
  return {
    url,
    client,
    async createSchema() {
      schemas += 1;
      const schema = `${unique}_${schemas}`;
      await client.query(`create schema ${schema}`);
      return schema;
    },
    async dropSchema(schema) {
      await client.query(`drop schema ${pg.escapeIdentifier(schema)} cascade`);
    },
    async drop() {
      await client.end();
      if (target.own) await runOnce(target.url, `drop database ${unique} with (force)`);
    },
  };
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // A connection that a test ends must not end the test run; the next query reports it.
  client.on('error', () => undefined);
  // Dropping a schema would otherwise tell of every table.
  await client.query('set client_min_messages = warning');
  return client;
}

async function runOnce(url: string, sql: string): Promise<void> {
  const client = await connect(url);
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
