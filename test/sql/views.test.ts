import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const NOON = new Date('2025-01-31T12:00:00.007Z');
const LATER = new Date('2199-01-31T12:30:00.500Z');

async function record(store: ExtendedStore): Promise<void> {
  await store.commit('a', {
    info: {
      createdAt: NOON,
      templateId: 'support',
      userId: 'ann',
      status: 'awaiting_approval',
      breakpoint: 'before "tools"',
      metadata: { customer: { tier: 'gold' }, tags: ['x'] },
    },
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'go' }], metadata: { from: 'web' } },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'c0', name: 'search', input: { q: [1] } },
          { type: 'tool_use', id: 'c1', name: 'delete', input: {} },
          { type: 'tool_use', id: 'c2', name: 'search', input: {} },
        ],
      },
    ],
    toolCalls: [
      { toolCallId: 'c0', state: 'completed', output: 0, durationMs: 12.5 },
      { toolCallId: 'c1', state: 'approval_required' },
      { toolCallId: 'c2', state: 'failed', error: 'no "such" thing' },
    ],
    at: NOON,
    expectedVersion: 0,
  });
  await store.decideApproval('a', 'c1', { decision: 'deny', by: 'bob', note: 'never' });
  await store.saveMessages('a', [
    ...(await store.loadMessages('a')),
    { role: 'system', content: [{ type: 'text', text: 'NUL \u0000, lone \ud800' }] },
  ]);
  await store.fork('a', { agentId: 'b' });
  await store.commit('b', { messages: [{ role: 'user', content: [] }], at: LATER, allowFuture: true });
}

type Row = Record<string, unknown>;

interface Opened {
  store: ExtendedStore;
  select(sql: string): Promise<Row[]>;
  close(): Promise<void>;
}

async function openSqlite(): Promise<Opened> {
  const directory = await makeTemporaryDirectory();
  const path = join(directory, 'agents.db');
  const store = new SqliteStore(path);
  await store.open();
  const db = new Database(path);
  return {
    store,
    select: async (sql) => db.prepare(sql).all() as Row[],
    async close() {
      db.close();
      await store.close();
      await removeDirectory(directory);
    },
  };
}

function openPostgres(server: 'postgres15' | 'postgres18'): () => Promise<Opened> {
  const database = postgresDatabase(server);
  return async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
    await store.open();
    return {
      store,
      select: async (sql) => (await client.query(sql.replace(/\bkode_/g, `${schema}.kode_`))).rows,
      async close() {
        await store.close();
        await dropSchema(schema);
      },
    };
  };
}

/** What a view gives for JSON: text on SQLite, parsed on PostgreSQL. Instants likewise. */
interface Forms {
  json(value: unknown): unknown;
  instant(value: Date): unknown;
  flag(value: boolean): unknown;
  /** SQL that only the other database has. */
  foreign: RegExp;
}

const DOCUMENT = readFileSync(new URL('../../docs/reference/sql-views.md', import.meta.url), 'utf8');
const EXAMPLES = [...DOCUMENT.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql = '']) => sql);

function viewsOn(name: string, open: () => Promise<Opened>, { json, instant, flag, foreign }: Forms): void {
  describe(`SQL views on ${name}`, () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open();
      await record(opened.store);
    });
    afterAll(() => opened.close());

    it('kode_sessions has a row for each agent', async () => {
      const [a, b, ...more] = await opened.select('SELECT * FROM kode_sessions ORDER BY agent_id');
      expect(more).toEqual([]);
      expect(a).toMatchObject({
        agent_id: 'a',
        template_id: 'support',
        user_id: 'ann',
        status: 'awaiting_approval',
        created_at: instant(NOON),
        config_version: '1',
        lineage: json([]),
        parent_agent_id: null,
        breakpoint: 'before "tools"',
        metadata: json({ customer: { tier: 'gold' }, tags: ['x'] }),
      });
      expect([Number(a?.message_count), Number(a?.tool_call_count)]).toEqual([3, 3]);
      expect(Number(a?.version)).toBe((await opened.store.loadInfo('a'))?.version);
      expect(b).toMatchObject({ agent_id: 'b', lineage: json(['a']), updated_at: instant(LATER) });
    });

    it('kode_messages has each stored message once, under its owner', async () => {
      const rows = await opened.select('SELECT * FROM kode_messages ORDER BY agent_id, seq');
      expect(rows.map((row) => [row.agent_id, Number(row.seq), row.role])).toEqual([
        ['a', 0, 'user'],
        ['a', 1, 'assistant'],
        ['a', 2, 'system'],
        ['b', 3, 'user'],
      ]);
      expect(rows[0]).toMatchObject({
        content: json([{ type: 'text', text: 'go' }]),
        metadata: json({ from: 'web' }),
        created_at: instant(NOON),
      });
      expect(rows[1]?.metadata).toBe(null);
      expect(rows[3]).toMatchObject({ content: json([]), created_at: instant(LATER) });
    });

    it('kode_tool_calls has each stored call with words for codes', async () => {
      const rows = await opened.select(
        "SELECT * FROM kode_tool_calls WHERE agent_id = 'a' ORDER BY call_seq",
      );
      expect(rows[0]).toMatchObject({
        tool_call_id: 'c0',
        tool_name: 'search',
        state: 'completed',
        is_error: flag(false),
        error: null,
        input: json({ q: [1] }),
        output: json(0),
        approval_required: flag(false),
        approval_decision: null,
        approval_decided_at: null,
        created_at: instant(NOON),
        completed_at: instant(NOON),
        duration_ms: 12.5,
      });
      expect(Number(rows[0]?.message_seq)).toBe(1);
      expect(rows[1]).toMatchObject({
        state: 'denied',
        output: null,
        approval_required: flag(true),
        approval_decision: 'deny',
        approval_decided_by: 'bob',
        approval_note: 'never',
      });
      const [call] = await opened.store.queryToolCalls({ agentId: 'a', state: 'denied' });
      expect(rows[1]?.approval_decided_at).toEqual(instant(call?.approval.decidedAt ?? NOON));
      expect(rows[2]).toMatchObject({ state: 'failed', is_error: flag(true), error: 'no "such" thing' });
    });

    it('answer the documented examples', async () => {
      for (const example of EXAMPLES.filter((sql) => !foreign.test(sql))) {
        expect(Array.isArray(await opened.select(example)), example).toBe(true);
      }
    });

    it('can be joined and grouped', async () => {
      const rows = await opened.select(
        `SELECT s.template_id, count(*) AS calls FROM kode_tool_calls t
         JOIN kode_sessions s ON s.agent_id = t.agent_id WHERE t.is_error = ${flag(true)} GROUP BY s.template_id`,
      );
      expect(rows.map((row) => [row.template_id, Number(row.calls)])).toEqual([['support', 4]]);
    });
  });
}

viewsOn('SQLite', openSqlite, {
  json: (value) => JSON.stringify(value),
  instant: (value) => value.toISOString(),
  flag: (value) => (value ? 1 : 0),
  foreign: /jsonb|@>/,
});
const POSTGRES: Forms = {
  json: (value) => value,
  instant: (value) => value,
  flag: (value) => value,
  foreign: /json_each/,
};
viewsOn('PostgreSQL 15', openPostgres('postgres15'), POSTGRES);
viewsOn('PostgreSQL 18', openPostgres('postgres18'), POSTGRES);

describe('kode_messages', () => {
  const database = postgresDatabase('postgres15');

  it('keeps exact text on SQLite', async () => {
    const { store, select, close } = await openSqlite();
    await record(store);
    const [row] = await select("SELECT content FROM kode_messages WHERE role = 'system'");
    expect(row?.content).toBe(JSON.stringify([{ type: 'text', text: 'NUL \u0000, lone \ud800' }]));
    await close();
  });

  it('gives what JSONB refuses as a JSON string of the message', async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
    await store.open();
    await record(store);
    const { rows } = await client.query(
      `SELECT content, metadata FROM ${schema}.kode_messages WHERE role = 'system'`,
    );
    expect(JSON.parse(rows[0].content)).toEqual((await store.loadMessages('a'))[2]);
    expect(rows[0].metadata).toBe(null);
    await store.close();
    await dropSchema(schema);
  });

  it('finds sessions by their metadata through the index on PostgreSQL', async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
    await store.open();
    await record(store);
    const find = `SELECT agent_id FROM ${schema}.kode_sessions WHERE metadata @> '{"customer":{"tier":"gold"}}'`;
    expect((await client.query(`${find} ORDER BY agent_id`)).rows).toEqual([
      { agent_id: 'a' },
      { agent_id: 'b' },
    ]);
    await client.query('BEGIN');
    await client.query('SET LOCAL enable_seqscan = off');
    const { rows } = await client.query(`EXPLAIN ${find}`);
    await client.query('ROLLBACK');
    expect(JSON.stringify(rows)).toContain('kode_metadata_document');
    await store.close();
    await dropSchema(schema);
  });
});
