import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { afterFile } from './after-file.ts';
import { type KeptPool, KeptPools } from './kept-pools.ts';
import { type ReadySchema, ReadySchemas } from './ready-schemas.ts';

export type PostgresName = 'postgres15' | 'postgres18';

/** A test file's place on a server. */
export interface PostgresDatabase {
  url: string;
  /** For looking at, or disturbing, what a store does. */
  client: pg.Client;
  /** An empty one, which is the test's to change and drop. */
  createSchema(): Promise<string>;
  dropSchema(schema: string): Promise<void>;
  /** One with a store's tables in it, for tests that change nothing but through a store. */
  readySchema(): Promise<ReadySchema>;
  /** With connections that earlier tests left, for tests to which it doesn't matter whose the pool is. */
  keptPool(): KeptPool;
}

/** Many stores are open at once on one server. */
export const POOL_SIZE = 4;

/**
 * Gives the test file that calls this a database of its own, made when it is first asked for and dropped
 * after the file's tests. On a server that the caller brought, it is the database of the URL, and only
 * schemas of our own are touched there.
 */
export function postgresDatabase(server: PostgresName): () => Promise<PostgresDatabase> {
  let opened: Promise<OpenDatabase> | undefined;
  return () => {
    if (opened) return opened;
    const opening = open(server);
    opened = opening;
    afterFile(async () => {
      opened = undefined;
      await (await opening).drop();
    });
    return opening;
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
  const schemasOfTests = {
    async createSchema() {
      schemas += 1;
      const schema = `${unique}_${schemas}`;
      await client.query(`create schema ${schema}`);
      return schema;
    },
    async dropSchema(schema: string) {
      await client.query(`drop schema ${pg.escapeIdentifier(schema)} cascade`);
    },
  };
  const ready = new ReadySchemas({ url, client, ...schemasOfTests });
  const pools = new KeptPools({ connectionString: url, max: POOL_SIZE });
  return {
    url,
    client,
    ...schemasOfTests,
    readySchema: () => ready.take(),
    keptPool: () => pools.take(),
    async drop() {
      await pools.end();
      if (!target.own) await ready.drop();
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
