import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { numberArray, type Param, TextArray } from '../../src/postgres/params.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { SqlValue } from '../../src/sql/port/values.ts';
import { createAgent, progress, toolUse, user } from '../../src/testing/samples.ts';
import { type PostgresName, postgresDatabase } from '../support/postgres-database.ts';

const TEXTS: readonly (string | null)[] = [
  null,
  'NULL',
  'null',
  '',
  '""',
  '{}',
  '{"a":["b",null],"c\\"":"\\\\d\\n"}',
  ',',
  '\\',
  '\\"',
  "'; DROP TABLE messages; --",
  ' \t\r\n\b\f\u007f ',
  '\\u0000 \\ud83d',
  '\ufeffbom',
  'e\u0301 is not \u00e9',
  '中文，與\u2028\u2029\u0085',
  '\uffff\u{10ffff}\u{1f600}',
  '{"long":"\\"\\n"}'.repeat(100_000),
  null,
];

const NUMBERS: Readonly<Record<string, readonly (number | null)[]>> = {
  bigint: [null, 0, -0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null],
  smallint: [0, null, 32_767, -32_768],
  'double precision': [0.1 + 0.2, null, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, -1.5],
};

function arraysOn(name: string, server: PostgresName): void {
  const database = postgresDatabase(server);

  /** What the server found in an array. */
  async function elements(array: Param, type: string, prepared?: string): Promise<SqlValue[]> {
    const { client } = await database();
    const { rows } = await client.query({
      ...(prepared === undefined ? {} : { name: prepared }),
      text: `SELECT element FROM unnest($1::${type}[]) WITH ORDINALITY AS u(element, n) ORDER BY n`,
      values: [array],
      rowMode: 'array',
    });
    return rows.map(([element]) => element);
  }

  describe(`arrays of a batch on ${name}`, () => {
    it('P2 hold every text as it is, prepared or not', async () => {
      expect(await elements(new TextArray(TEXTS), 'text')).toEqual(TEXTS);
      for (const texts of [TEXTS, [null, null], ['one'], []]) {
        expect(await elements(new TextArray(texts), 'text', 'texts')).toEqual(texts);
      }
    });

    it('P2 take the same of what is no text as a single value does', async () => {
      const { client } = await database();
      const halves = 'a\ud800b \udc00';
      const { rows } = await client.query('SELECT $1::text AS single', [halves]);
      expect(await elements(new TextArray([halves, 'x']), 'text')).toEqual([rows[0].single, 'x']);
      for (const value of ['a\0b', new TextArray(['a\0b', 'x'])]) {
        const type = typeof value === 'string' ? 'text' : 'text[]';
        await expect(client.query(`SELECT $1::${type}`, [value])).rejects.toMatchObject({ code: '22021' });
      }
    });

    it.each(Object.entries(NUMBERS))('P2 hold every number: %s', async (type, numbers) => {
      const found = await elements(numberArray(numbers), type);
      const same = numbers.map((value) => (value === null ? null : value + 0));
      expect(found.map((value) => (value === null ? null : Number(value)))).toEqual(same);
    });
  });
}

arraysOn('PostgreSQL 15', 'postgres15');
arraysOn('PostgreSQL 18', 'postgres18');

describe('what a store sends to PostgreSQL', () => {
  const database = postgresDatabase('postgres18');
  const open: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  /** Keeps the values of all statements. */
  async function watchedStore(): Promise<{ store: PostgresStore; sent: Param[] }> {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const sent: Param[] = [];
    const { query } = pg.Client.prototype;
    class WatchedClient extends pg.Client {
      constructor(config?: pg.ClientConfig) {
        super(config);
        this.query = ((...args: unknown[]) => {
          sent.push(...((args[0] as pg.QueryConfig | undefined)?.values ?? []));
          return Reflect.apply(query, this, args);
        }) as typeof query;
      }
    }
    const pool = new pg.Pool({ connectionString: url, max: 2, Client: WatchedClient as typeof pg.Client });
    const store = new PostgresStore(pool, undefined, { schema });
    open.push({ close: () => dropSchema(schema) }, { close: () => pool.end() }, store);
    return { store, sent };
  }

  it('P2 has no text with its quotes escaped once more, wherever texts come in numbers', async () => {
    const { store, sent } = await watchedStore();
    const code = 'say("so")\n';
    const messages = [user(code), user(code), user(code)];
    const calls = ['one', 'two'].map((id) => toolUse(id, 'run', { code }));
    const outputs = ['one', 'two'].map((toolCallId) => {
      return { toolCallId, state: 'completed' as const, output: code };
    });
    await createAgent(store, 'a', [...messages, { role: 'assistant', content: calls }]);
    await store.commit('a', {
      messages,
      toolCalls: outputs,
      events: [progress(code), progress(code)],
      todos: { todos: [code] },
      info: { metadata: { code } },
      snapshot: { id: 'own', messages },
      compaction: { seq: 2, messages },
    });
    for (const name of ['x', 'y']) {
      await store.saveDocument('a', { kind: 'history-window', name, content: { code } });
    }
    await store.fork('a', { agentId: 'fork', at: 4 });
    await store.batchFork('a', 3);
    await store.saveMessages('a', [user('other'), ...messages, ...messages]);
    await Promise.all([1, 2, 3].map((n) => store.appendEvent('a', { ...progress(code), n })));

    const texts = sent.flatMap((value) => (value instanceof TextArray ? value.values : [value])).map(String);
    const encoded = JSON.stringify(code).slice(1, -1);
    const again = JSON.stringify(encoded).slice(1, -1);
    expect(texts.filter((value) => value.includes(encoded)).length).toBeGreaterThan(20);
    expect(texts.filter((value) => value.includes(again))).toEqual([]);
    // `pg` escapes the elements of arrays, and writes other objects as JSON.
    const left = sent.filter((value) => typeof value === 'object' && value !== null);
    expect(left.filter((value) => !(value instanceof TextArray))).toEqual([]);
    expect((await store.checkConsistency('a')).issues).toEqual([]);
  });
});
