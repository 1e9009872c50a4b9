import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { asks, collect, createAgent, user } from '../../src/testing/samples.ts';
import { outcomes, until, within } from '../../src/testing/timing.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

interface Setting {
  store: PostgresStore;
  /** On the same pool: it remembers nothing of what `store` wrote. */
  another: PostgresStore;
  pool: pg.Pool;
  schema: string;
  /** The connections that are made during the work and the call after it, which a dropped one costs. */
  connectionsFor(work: () => Promise<unknown>): Promise<number>;
  /** Runs statements on the pool's connection, as other code of the pool's owner may. */
  onTheConnection(...statements: string[]): Promise<void>;
}

/** Two stores on a pool with one connection, and agent `a`, whose last message asks for a call. */
async function setUp(config: pg.PoolConfig = {}, prepare: 'auto' | boolean = 'auto'): Promise<Setting> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  const pool = new pg.Pool({ connectionString: url, max: 1, ...config });
  opened({ close: () => pool.end() });
  const storeOn = () => opened(new PostgresStore(pool, undefined, { schema, prepare })).open();
  const [store, another] = [await storeOn(), await storeOn()];
  await createAgent(store, 'a', [user('x'), asks('call')]);
  await store.list();
  let connections = 0;
  pool.on('connect', () => {
    connections += 1;
  });
  return {
    store,
    another,
    pool,
    schema,
    async connectionsFor(work) {
      const before = connections;
      await work();
      expect(await store.exists('a')).toBe(true);
      return connections - before;
    },
    async onTheConnection(...statements) {
      const client = await pool.connect();
      for (const text of statements) await client.query(text).catch(() => undefined);
      client.release();
    },
  };
}

interface Blocker {
  client: pg.Client;
  /** Until somebody waits for what it has locked. */
  waitedFor(): Promise<void>;
}

/** Somebody else, in a transaction that began with this statement. */
async function blocker(statement: string): Promise<Blocker> {
  const { url, client: witness } = await database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  opened({ close: () => client.end() });
  await client.query('begin');
  await client.query(statement);
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return {
    client,
    waitedFor: () =>
      until(async () => {
        const waiting = await witness.query(
          'select 1 from pg_stat_activity where $1 = any(pg_blocking_pids(pid))',
          [rows[0]?.pid],
        );
        return waiting.rows.length > 0;
      }, 'somebody waits'),
  };
}

/** Ends the session on the pool's connection from outside. */
async function terminator(pool: pg.Pool): Promise<() => Promise<void>> {
  const { client: witness } = await database();
  const { rows } = await pool.query('select pg_backend_pid() as pid');
  return async () => {
    await witness.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  };
}

const locked = (schema: string, table: string) => `select 1 from ${schema}.kode_data_${table} for update`;
const change = (text: string, operationId?: string) => ({
  messages: [user(text)],
  ...(operationId === undefined ? {} : { operationId }),
});
const fails = (call: Promise<unknown>, as: object) => expect(call).rejects.toMatchObject(as);

describe('a connection is kept', () => {
  it('when the id of a new agent is taken', async () => {
    const { store, another, connectionsFor } = await setUp();
    const raced = async () => {
      const { errors } = await outcomes([createAgent(store, 'b'), createAgent(another, 'b')]);
      expect(errors).toMatchObject([{ code: 'AGENT_EXISTS' }]);
    };
    expect(await connectionsFor(raced)).toBe(0);
    const forked = () => fails(store.fork('a', { agentId: 'b' }), { code: 'AGENT_EXISTS' });
    expect(await connectionsFor(forked)).toBe(0);
  });

  it('when an operationId is repeated, with the same change or with another one', async () => {
    const { store, another, connectionsFor } = await setUp();
    const result = await store.commit('a', change('once', 'step 1'));
    const repeated = async () => expect(await another.commit('a', change('once', 'step 1'))).toEqual(result);
    expect(await connectionsFor(repeated)).toBe(0);
    const changed = () => fails(another.commit('a', change('other', 'step 1')), { code: 'VALIDATION' });
    expect(await connectionsFor(changed)).toBe(0);
  });

  it('when a serialization failure is tried again', async () => {
    const options = '-c default_transaction_isolation=repeatable\\ read';
    const { store, schema, connectionsFor } = await setUp({ options });
    const other = await blocker(`update ${schema}.kode_data_heads set watched_until = watched_until`);
    const committed = async () => {
      const commit = store.commit('a', change('y'));
      await other.waitedFor();
      await other.client.query('commit');
      await commit;
    };
    expect(await connectionsFor(committed)).toBe(0);
    expect(await store.loadMessages('a')).toHaveLength(3);
  });

  it('when a transaction is chosen to end a deadlock, and is tried again', async () => {
    const { store, schema, connectionsFor } = await setUp();
    const other = await blocker(locked(schema, 'heads'));
    const rewritten = async () => {
      const rewrite = store.saveMessages('a', [user('new')]);
      await other.waitedFor();
      // The store has waited for longer, and is the first to look whether that will ever end.
      await other.client.query(locked(schema, 'branches'));
      await other.client.query('commit');
      await rewrite;
    };
    expect(await connectionsFor(rewritten)).toBe(0);
    expect(await store.loadMessages('a')).toEqual([user('new')]);
  });

  it.each([
    ['lock_timeout', '55P03'],
    ['statement_timeout', '57014'],
  ])('when the server gives up after its %s', async (setting, code) => {
    const { store, schema, connectionsFor } = await setUp({ options: `-c ${setting}=200` });
    const other = await blocker(locked(schema, 'heads'));
    const busy = { code: 'STORE_BUSY', message: expect.stringContaining(code) };
    expect(await connectionsFor(() => fails(store.commit('a', change('y')), busy))).toBe(0);
    expect(await connectionsFor(() => fails(store.saveMessages('a', []), busy))).toBe(0);
    await other.client.query('rollback');
    expect(await connectionsFor(() => store.commit('a', change('y')))).toBe(0);
  });

  it('when it has lost its named statements', async () => {
    const { store, another, connectionsFor, onTheConnection } = await setUp();
    await Promise.all([store.list(), another.loadAgent('a')]);
    await onTheConnection('deallocate all');
    const listed = async () => expect(await store.list()).toEqual(['a']);
    expect(await connectionsFor(listed)).toBe(0);
    // A transaction begins anew.
    expect(await connectionsFor(() => another.saveMessages('a', []))).toBe(0);
  });

  it('when a transaction comes to nothing', async () => {
    const { store, connectionsFor } = await setUp();
    const inTheCall = () => fails(store.fork('a', { at: 2, agentId: 'a' }), { code: 'AGENT_EXISTS' });
    expect(await connectionsFor(inTheCall)).toBe(0);
    const decided = () => fails(store.decideApproval('a', 'other', { decision: 'allow' }), {});
    expect(await connectionsFor(decided)).toBe(0);
  });
});

describe('a connection is given up', () => {
  it('that the server ended while it rested, at no cost', async () => {
    const { store, pool, connectionsFor } = await setUp();
    const terminate = await terminator(pool);
    const ended = async () => {
      await terminate();
      await until(() => pool.totalCount === 0, 'the pool notices');
    };
    expect(await connectionsFor(ended)).toBe(1);
    expect(await connectionsFor(() => store.commit('a', change('y')))).toBe(0);
  });

  const writes: [string, (store: PostgresStore) => Promise<unknown>][] = [
    ['a statement', (store) => store.commit('a', change('y'))],
    ['a transaction', (store) => store.saveMessages('a', [])],
  ];

  it.each(writes)('that the server ends during %s', async (_name, write) => {
    const { store, pool, schema, connectionsFor } = await setUp();
    const terminate = await terminator(pool);
    const other = await blocker(locked(schema, 'heads'));
    const ended = async () => {
      const call = fails(write(store), { code: 'STORE_UNAVAILABLE' });
      await other.waitedFor();
      await terminate();
      await call;
    };
    expect(await connectionsFor(ended)).toBe(1);
  });

  it.each(writes)('on which %s still runs after query_timeout', async (_name, write) => {
    // Of itself, pg gives it up and lets it run on.
    const { store, schema, connectionsFor } = await setUp({ query_timeout: 500 });
    const other = await blocker(locked(schema, 'heads'));
    const late = () =>
      fails(write(store), {
        code: 'STORE_BUSY',
        outcome: 'none',
        message: expect.stringMatching(/500 ms.*cancelled.*Nothing was stored/),
      });
    expect(await connectionsFor(late)).toBe(1);
    await other.client.query('rollback');
    expect(await connectionsFor(() => store.loadMessages('a'))).toBe(0);
  });

  it('whose session others left in a state that only a new one is free of', async () => {
    const { store, connectionsFor, onTheConnection } = await setUp();
    for (const statements of [['begin', 'select nothing'], ['set default_transaction_read_only = on']]) {
      await onTheConnection(...statements);
      const refused = () => fails(store.commit('a', change('y')), { code: 'STORE_UNAVAILABLE' });
      expect(await connectionsFor(refused)).toBe(1);
      await onTheConnection(...statements);
      const refusedTransaction = () => fails(store.saveMessages('a', []), { code: 'STORE_UNAVAILABLE' });
      expect(await connectionsFor(refusedTransaction)).toBe(1);
      expect(await connectionsFor(() => store.commit('a', change('y')))).toBe(0);
    }
  });

  it('that has lost its named statements, where they are wanted', async () => {
    const { store, connectionsFor, onTheConnection } = await setUp({}, true);
    await onTheConnection('deallocate all');
    expect(await connectionsFor(() => fails(store.list(), { code: 'STORE_UNAVAILABLE' }))).toBe(1);
    expect(await store.list()).toEqual(['a']);
    // What the next one will do: lock, cut and write.
    await store.saveMessages('a', [user('y')]);
    await onTheConnection('deallocate all');
    expect(
      await connectionsFor(() => fails(store.saveMessages('a', []), { code: 'STORE_UNAVAILABLE' })),
    ).toBe(1);
    await store.saveMessages('a', []);
    expect(await store.loadMessages('a')).toEqual([]);
  });

  it('whose plan of a statement is outdated', async () => {
    const { store, schema, connectionsFor } = await setUp();
    const { client } = await database();
    await store.saveDelta('a', { text: 'x' });
    expect(await store.loadDelta('a')).toEqual([{ text: 'x' }]);
    await client.query(`alter table ${schema}.kode_data_deltas alter column payload type varchar`);
    const outdated = () => fails(store.loadDelta('a'), { code: 'STORE_UNAVAILABLE' });
    expect(await connectionsFor(outdated)).toBe(1);
    expect(await store.loadDelta('a')).toEqual([{ text: 'x' }]);
  });

  it('that ends the moment it is there, which ends no process', async () => {
    const message = (type: string, content: string) => {
      const head = Buffer.from(`${type}....`);
      head.writeInt32BE(content.length + 4, 1);
      return Buffer.concat([head, Buffer.from(content)]);
    };
    // Welcome, ready, shutting down: in one piece, as a pooler may send it.
    const welcome = message('R', '\0\0\0\0');
    const end = message('E', 'SFATAL\0C57P01\0Mshutting down\0\0');
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([welcome, message('Z', 'I'), end])));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened({ close: async () => void server.close() });
    const { port } = server.address() as AddressInfo;
    const pool = new pg.Pool({ connectionString: `postgres://nobody@127.0.0.1:${port}/nothing` });
    opened({ close: () => pool.end() });
    const store = opened(new PostgresStore(pool));
    for (let n = 0; n < 3; n += 1) await fails(store.list(), { code: 'STORE_UNAVAILABLE' });
    expect(pool.totalCount).toBe(0);
  });

  it("leaving nothing on a pool that can't be used", async () => {
    const pool = new pg.Pool({ connectionString: 'postgres://nobody@localhost:port/nothing' });
    const store = opened(new PostgresStore(pool));
    for (let n = 0; n < 3; n += 1) await fails(store.list(), { code: 'STORE_CONFIG' });
    expect(pool.listenerCount('error')).toBe(0);
  });

  it("leaving nothing on those of the caller's pool", async () => {
    const { store, another, pool, connectionsFor } = await setUp();
    const listeners = (client: pg.PoolClient) => client.listenerCount('error');
    const client = await pool.connect();
    const before = listeners(client);
    client.release();
    await createAgent(store, 'b');
    const taken = () => fails(store.fork('a', { agentId: 'b' }), { code: 'AGENT_EXISTS' });
    expect(await connectionsFor(taken)).toBe(0);
    await store.saveMessages('a', []);
    await Promise.all([store.close(), another.close()]);
    const same = await pool.connect();
    expect(same).toBe(client);
    expect(listeners(same)).toBe(before);
    same.release();
    expect(pool.listenerCount('error')).toBe(0);
  });
});

describe('the connection on which a watcher listens', () => {
  it('is tried for anew where nobody answers, and given up with the store', async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    opened({ close: () => dropSchema(schema) });
    const network = await Network.to(url);
    opened({ close: () => network.refuse() });
    // Of itself, such a pool waits for ever.
    const pool = new pg.Pool({ connectionString: network.url(url), max: 1 });
    opened({ close: () => pool.end() });
    const store = opened(new PostgresStore(pool, undefined, { schema }));
    await createAgent(store, 'a');
    const watching = collect(store.watch('a'));
    const terminated = async () => {
      const { rows } = await client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where query like 'LISTEN%' and datname = current_database()`,
      );
      return rows.length === 1;
    };
    await until(terminated, 'it listens');
    network.silence();
    await until(() => network.unanswered === 2, 'it is tried for anew', 20_000);
    await within(store.close(), 'close', 2_000);
    expect(await watching).toEqual([]);
  });
});
