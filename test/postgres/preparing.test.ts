import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { SchemaVersionError, StoreBusyError, StoreUnavailableError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createStore } from '../../src/store/factory.ts';
import { until, within } from '../../src/testing/timing.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

/** What the store locks while it changes the schema: the same for every version of it. */
const MIGRATION_LOCK = 7_243_119_865;

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

/** A database in which somebody else is changing the schema, until they are let go of. */
async function setUp({ made = true } = {}): Promise<{
  url: string;
  schema: string;
  client: pg.Client;
  waitedFor(): Promise<void>;
  /** Sessions that wait for it. */
  waiting(): Promise<object[]>;
  letGo(): Promise<void>;
}> {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  if (!made) await dropSchema(schema);
  opened({ close: () => dropSchema(schema) });
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  opened({ close: () => other.end() });
  const { rows } = await other.query('select pg_backend_pid() as pid, pg_advisory_lock($1)', [
    MIGRATION_LOCK,
  ]);
  const waiting = async () => {
    const sessions = 'select pid from pg_stat_activity where $1 = any(pg_blocking_pids(pid))';
    return (await client.query<object>(sessions, [rows[0]?.pid])).rows;
  };
  return {
    url,
    schema,
    client,
    waiting,
    waitedFor: () => until(async () => (await waiting()).length > 0, 'the store waits'),
    async letGo() {
      await other.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    },
  };
}

describe('A5 a time-out while the schema is prepared says what it is', () => {
  it.each([
    ['lock_timeout', '55P03'],
    ['statement_timeout', '57014'],
  ])("where the server's %s ends it, and the next call tries again", async (setting, code) => {
    const { url, schema, letGo } = await setUp();
    const connection = { connectionString: url, max: 1, options: `-c ${setting}=500` };
    const store = opened(new PostgresStore(connection, undefined, { schema }));
    const error = await store.list().catch((reason: unknown) => reason);
    expect(error).not.toBeInstanceOf(SchemaVersionError);
    expect(error).toBeInstanceOf(StoreBusyError);
    expect(error).toMatchObject({ outcome: 'none', message: expect.stringContaining(code) });
    await letGo();
    await until(() => store.list().then(isEmpty, () => false), 'the store opens');
  });

  it('where the server stops answering, and the next call tries again', async () => {
    const { url, schema, waitedFor, letGo } = await setUp();
    const network = await Network.to(url);
    opened({ close: () => network.refuse() });
    const connection = { connectionString: network.url(url), max: 1 };
    const store = opened(new PostgresStore(connection, undefined, { schema, callTimeoutMs: 2_000 }));
    const call = store.list().catch((reason: unknown) => reason);
    await waitedFor();
    network.swallow();
    const error = await within(call, 'the call', 20_000);
    expect(error).not.toBeInstanceOf(SchemaVersionError);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toMatchObject({ message: expect.stringMatching(/doesn't answer any more/) });
    network.cutAll();
    network.deliver();
    await letGo();
    await until(() => store.list().then(isEmpty, () => false), 'the store opens', 20_000);
  });

  it('where others only take long, it waits for them', async () => {
    const { url, schema, waitedFor, letGo } = await setUp();
    const connection = { connectionString: url, max: 1 };
    const store = opened(new PostgresStore(connection, undefined, { schema, callTimeoutMs: 1_000 }));
    const call = store.list();
    await waitedFor();
    const early = await Promise.race([call, new Promise((resolve) => setTimeout(resolve, 1_500))]);
    expect(early).toBeUndefined();
    await letGo();
    expect(await call).toEqual([]);
  });
});

describe('a signal ends opening a store while others change the schema', () => {
  it('with a cancel request: nothing is left behind, and the next call opens it', async () => {
    const { url, schema, client, waitedFor, waiting, letGo } = await setUp({ made: false });
    const store = opened(new PostgresStore({ connectionString: url }, undefined, { schema }));
    const stop = new AbortController();
    const opening = store.open({ signal: stop.signal }).catch((error: unknown) => error);
    await waitedFor();
    stop.abort(new Error('enough'));
    expect(await within(opening, 'the end of the opening')).toBe(stop.signal.reason);
    expect(await waiting()).toEqual([]);
    const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [schema]);
    expect(rows).toEqual([]);
    await letGo();
    expect(await store.list()).toEqual([]);
    await store.saveInfo('a', {});
    expect(await store.list()).toEqual(['a']);
  });

  it('for its caller alone where others wait, of whatever kind the call is', async () => {
    const { url, schema, waitedFor, waiting, letGo } = await setUp();
    const store = opened(new PostgresStore({ connectionString: url }, undefined, { schema }));
    const stop = new AbortController();
    const { signal } = stop;
    const all = store.list();
    const stopped = [
      store.open({ signal }),
      store.checkConsistency({ signal }),
      store.batchFork('a', 2, { signal }),
      store.iterateSessions({}, { signal })[Symbol.asyncIterator]().next(),
    ].map((call) => call.catch((error: unknown) => error));
    await waitedFor();
    stop.abort(new Error('enough'));
    expect(await within(Promise.all(stopped), 'the calls')).toEqual(stopped.map(() => signal.reason));
    expect(await waiting()).toHaveLength(1);
    await letGo();
    expect(await all).toEqual([]);
  });

  it('also of createStore(), which leaves no connection', async () => {
    const { url, schema, waitedFor, waiting, letGo } = await setUp();
    const stop = new AbortController();
    const connection = { connectionString: url, application_name: schema };
    const config = { type: 'postgres' as const, connection, schema };
    const created = createStore(config, { signal: stop.signal }).catch((error: unknown) => error);
    await waitedFor();
    stop.abort(new Error('enough'));
    expect(await within(created, 'the end of the opening')).toBe(stop.signal.reason);
    expect(await waiting()).toEqual([]);
    await letGo();
    const store = opened(await createStore(config, { signal: new AbortController().signal }));
    expect(await store.list()).toEqual([]);
  });
});

function isEmpty(ids: string[]): boolean {
  return ids.length === 0;
}
