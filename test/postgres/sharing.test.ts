import pg from 'pg';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { SchemaVersionError, StoreConfigError } from '../../src/errors.ts';
import { postgresDialect } from '../../src/postgres/dialect.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { answers, asks, conversation, createAgent, progress, user } from '../../src/testing/samples.ts';
import { startChild } from '../support/child.ts';
import { type PostgresDatabase, postgresDatabase } from '../support/postgres-database.ts';

const PROCESSES = 20;

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

/** A name for a schema that the store creates itself; dropped after the test. */
function futureSchema({ client, dropSchema }: PostgresDatabase, name: string): string {
  opened({
    async close() {
      const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [name]);
      if (rows.length > 0) await dropSchema(name);
    },
  });
  return name;
}

describe.each(['postgres15', 'postgres18'] as const)('an empty database on %s', (server) => {
  const database = postgresDatabase(server);

  it('is opened by twenty processes at once', { timeout: 180_000 }, async () => {
    const shared = await database();
    const schema = futureSchema(shared, `twenty_${Date.now()}`);
    const file = new URL('./open.child.ts', import.meta.url);
    const children = Array.from({ length: PROCESSES }, (_, n) =>
      startChild(file, { args: [shared.url, schema, `agent-${n}`] }),
    );
    await Promise.all(children.map((child) => child.rest()));
    const store = opened(new PostgresStore({ connectionString: shared.url, max: 2 }, undefined, { schema }));
    expect(await store.list()).toHaveLength(PROCESSES);
    expect((await store.checkConsistency()).issues).toEqual([]);
    const { rows } = await shared.client.query(`select id from ${schema}.kode_data_migrations order by id`);
    expect(rows).toEqual(postgresDialect(schema).migrations.map(({ id }) => ({ id })));
  });

  it('is opened by many stores of one process at once', async () => {
    const shared = await database();
    const schema = futureSchema(shared, `many_${Date.now()}`);
    const stores = Array.from({ length: 8 }, () =>
      opened(new PostgresStore({ connectionString: shared.url, max: 2 }, undefined, { schema })),
    );
    await Promise.all(stores.map((store, n) => createAgent(store, `a${n}`)));
    expect(await stores[0]?.list()).toHaveLength(stores.length);
  });
});

describe('the schema', () => {
  const database = postgresDatabase('postgres18');

  it.each(['UPPER', 'with "quotes"', "it's; drop table x --", 'select', 'ünï – 漢字', '$1', 'a.b', '%I'])(
    'may be called %s',
    async (name) => {
      const shared = await database();
      const schema = futureSchema(shared, name);
      const store = opened(
        new PostgresStore({ connectionString: shared.url, max: 2 }, undefined, { schema }),
      );
      await createAgent(store, 'a', [user('x'), asks('t'), answers('t')], { metadata: { k: 'v' } });
      await store.saveSnapshot('a', { id: 's' });
      await store.fork('a', { at: 's', agentId: 'b' });
      await store.saveMessages('a', [user('new')]);
      const lease = await store.acquireAgentLock('a');
      await store.commit('a', { events: [progress('x')], usage: [{ model: 'm' }], lease });
      await lease.release();
      expect(await store.querySessions({ metadata: { k: 'v' } })).toHaveLength(2);
      expect(await store.queryMessages({ contentType: 'text' })).toHaveLength(2);
      expect(await store.queryToolCalls()).toHaveLength(1);
      expect((await store.checkConsistency()).issues).toEqual([]);
      const end = new AbortController();
      for await (const item of store.watch('a', { signal: end.signal })) {
        expect(item).toMatchObject({ kind: 'event', cursor: 1 });
        end.abort();
      }
      await store.delete('a');
      expect(await store.list()).toEqual(['b']);
      const { rows } = await shared.client.query(
        `select count(*)::int as elsewhere from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where relname like 'kode%' and nspname = 'public'`,
      );
      expect(rows).toEqual([{ elsewhere: 0 }]);
    },
  );

  it('keeps its agents from those of another one', async () => {
    const shared = await database();
    const [one, other] = [await shared.createSchema(), await shared.createSchema()];
    for (const schema of [one, other]) opened({ close: () => shared.dropSchema(schema) });
    const pool = new pg.Pool({ connectionString: shared.url, max: 2 });
    opened({ close: () => pool.end() });
    const first = opened(new PostgresStore(pool, undefined, { schema: one }));
    const second = opened(new PostgresStore(pool, undefined, { schema: other }));
    await createAgent(first, 'a', [user('first')]);
    await createAgent(second, 'a', [user('second')]);
    expect(await first.loadMessages('a')).toEqual([user('first')]);
    expect(await second.loadMessages('a')).toEqual([user('second')]);
  });

  it.each(['', 'x'.repeat(64), 'a\0b'])(
    'is refused where PostgreSQL has no such name (%j)',
    async (schema) => {
      const { url } = await database();
      expect(() => new PostgresStore(url, undefined, { schema })).toThrow(StoreConfigError);
    },
  );

  it('of a later version is refused, and left as it is', async () => {
    const shared = await database();
    const schema = await shared.createSchema();
    opened({ close: () => shared.dropSchema(schema) });
    const options = { schema };
    await new PostgresStore(shared.url, undefined, options).open().then((store) => store.close());
    await shared.client.query(
      `insert into ${schema}.kode_data_migrations (id, name, checksum, applied_at) values (9, 'later', 'x', 0)`,
    );
    const later = opened(new PostgresStore(shared.url, undefined, options));
    await expect(later.list()).rejects.toBeInstanceOf(SchemaVersionError);
    await expect(later.list()).rejects.toThrow(/version 9.*Update the package/s);
    await shared.client.query(`delete from ${schema}.kode_data_migrations where id = 9`);
    expect(await later.list()).toEqual([]);
    await shared.client.query(`update ${schema}.kode_data_migrations set checksum = 'other'`);
    const changed = opened(new PostgresStore(shared.url, undefined, options));
    await expect(changed.list()).rejects.toBeInstanceOf(SchemaVersionError);
  });
});

describe("a caller's pool", () => {
  const database = postgresDatabase('postgres18');

  async function shared(config: pg.PoolConfig = {}): Promise<{ pool: pg.Pool; store: PostgresStore }> {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    opened({ close: () => dropSchema(schema) });
    const pool = new pg.Pool({ connectionString: url, max: 3, ...config });
    opened({ close: () => pool.end() });
    return { pool, store: opened(new PostgresStore(pool, undefined, { schema })) };
  }

  it('is never closed, and gets its listeners back', async () => {
    const { pool, store } = await shared();
    const listeners = pool.listenerCount('error');
    await createAgent(store, 'a');
    const lease = await store.acquireAgentLock('a');
    await store.close();
    expect(lease.signal.aborted).toBe(true);
    expect([pool.ended, pool.ending]).toEqual([false, false]);
    expect(pool.listenerCount('error')).toBe(listeners);
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(pool.idleCount).toBe(pool.totalCount);
  });

  it('is left alone when the store can not be opened', async () => {
    const pool = new pg.Pool({ host: '127.0.0.1', port: 1, max: 1 });
    const store = new PostgresStore(pool);
    await expect(store.list()).rejects.toThrow(/pg_isready/);
    await store.close();
    expect(pool.ended).toBe(false);
    await pool.end();
  });

  it('keeps its own ways: type parsers, search path, isolation, date style', async () => {
    const before = pg.types.getTypeParser(pg.types.builtins.INT8);
    pg.types.setTypeParser(pg.types.builtins.INT8, BigInt);
    opened({ close: async () => pg.types.setTypeParser(pg.types.builtins.INT8, before) });
    const settings = {
      search_path: 'nowhere',
      default_transaction_isolation: 'serializable',
      datestyle: 'German',
      intervalstyle: 'sql_standard',
      timezone: 'America/St_Johns',
      bytea_output: 'escape',
    };
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const { pool, store } = await shared({ options: options.join(' ') });
    await createAgent(store, 'a', [...conversation(3), asks('t')], { metadata: { n: 1.5 } });
    await store.saveToolCallRecords('a', [{ toolCallId: 't', state: 'completed', durationMs: 0.1 + 0.2 }]);
    await store.fork('a', { agentId: 'b' });
    expect((await store.loadToolCallRecords('a'))[0]?.durationMs).toBe(0.1 + 0.2);
    expect((await store.aggregateStats('a')).totalMessages).toBe(4);
    expect((await store.loadInfo('a'))?.version).toBe(2);
    expect((await store.checkConsistency()).issues).toEqual([]);
    const { rows } = await pool.query('select 1::int8 as one');
    expect(rows).toEqual([{ one: 1n }]);
  });

  it('survives many writers to one agent under serializable isolation', async () => {
    const { store } = await shared({ options: '-c default_transaction_isolation=serializable' });
    await createAgent(store, 'a');
    await createAgent(store, 'b');
    const writes = Array.from({ length: 30 }, (_, n) =>
      n % 3 === 0
        ? store.appendEvent('a', progress(`${n}`))
        : store.appendMessages(n % 2 ? 'a' : 'b', [user('x')]),
    );
    await Promise.all(writes);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });
});

describe.each(['postgres15', 'postgres18'] as const)('time zones (%s)', (server) => {
  const database = postgresDatabase(server);

  it('of processes and servers change no instant', { timeout: 60_000 }, async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    opened({ close: () => dropSchema(schema) });
    const { rows } = await client.query(`select current_setting('TimeZone') as zone`);
    if (inject(server).own) expect(rows[0]?.zone).toBe(server === 'postgres18' ? 'Asia/Kathmandu' : 'UTC');
    // On the day of a clock change in Europe, around its midnights in UTC.
    const places = [
      ['Pacific/Kiritimati', '2024-03-31T00:00:00.000Z'],
      ['Europe/Berlin', '2024-03-31T01:30:00.001Z'],
      ['America/St_Johns', '2024-03-31T23:59:59.999Z'],
    ] as const;
    const offsets = new Set<number>();
    const expected: string[] = [];
    for (const [zone, instant] of places) {
      const file = new URL('./zone.child.ts', import.meta.url);
      const child = startChild(file, {
        args: [url, schema, zone.replace('/', '-'), instant],
        env: { TZ: zone },
      });
      const seen = JSON.parse((await child.rest()).join(''));
      expected.push(instant);
      offsets.add(seen.offset);
      expect(seen.messages).toEqual(expected);
      expect(seen.counts).toEqual([0, 1]);
      expect(seen.updatedSecondsAgo).toBe(0);
    }
    expect(offsets.size).toBe(places.length);
  });
});
