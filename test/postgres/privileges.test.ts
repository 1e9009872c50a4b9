import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { asks, collect, conversation, createAgent, progress, user } from '../../src/testing/samples.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

let server: PostgresServer;
let admin: pg.Client;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
});

afterAll(async () => {
  await admin.end();
  await server.stop();
});

const as = (user: string, schema: string) =>
  new PostgresStore({ host: server.host, port: server.port, user, database: 'postgres' }, undefined, {
    schema,
  });

describe('P7 a role that only reads and writes rows', () => {
  it('needs what the guide says, and nothing else', async () => {
    await admin.query('create role kode login');
    await admin.query('create schema agents authorization kode');
    const owner = as('kode', 'agents');
    await createAgent(owner, 'made by the owner');
    await owner.close();
    // In the guide, the statements that give a role these privileges.
    const guide = readFileSync(new URL('../../docs/database.md', import.meta.url), 'utf8');
    const grants = /```sql\n(CREATE ROLE kode_app[\s\S]*?)```/.exec(guide)?.[1] ?? expect.unreachable();
    const store = as('kode_app', 'agents');
    await admin.query('create role kode_app login');
    await expect(store.list()).rejects.toBeInstanceOf(StoreUnavailableError);
    await admin.query('drop role kode_app');
    await admin.query(grants);
    await createAgent(store, 'a', [...conversation(4), asks('t')], { metadata: { k: 'v' } });
    const lease = await store.acquireAgentLock('a');
    await store.commit('a', {
      messages: [user('x')],
      events: [progress('x')],
      todos: { todos: [1] },
      usage: [{ model: 'm' }],
      snapshot: { id: 's' },
      lease,
    });
    await store.saveDocument('a', { kind: 'recovered-file', name: 'n', content: 1 }, { lease });
    await store.saveDelta('a', { text: 'x' });
    await store.saveMessages('a', conversation(2), { lease });
    await lease.release();
    await store.fork('a', { at: 's', agentId: 'b' });
    await store.batchFork('a', 3);
    expect(await collect(store.iterateMessages())).not.toEqual([]);
    expect(await store.querySessions({ metadata: { k: 'v' } })).not.toEqual([]);
    expect((await store.aggregateStats()).totalAgents).toBeGreaterThan(4);
    await store.delete('a');
    expect((await store.checkConsistency()).issues).toEqual([]);
    await store.close();
  });

  it('is told by name what it lacks', async () => {
    await admin.query('create role reader login');
    await admin.query('grant usage on schema agents to reader');
    const store = as('reader', 'agents');
    const lacking = async (call: Promise<unknown>) => String(await call.catch((error: unknown) => error));
    expect(await lacking(store.list())).toMatch(
      /GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "agents" TO "reader"/,
    );
    await admin.query('grant select, insert, update, delete on all tables in schema agents to reader');
    expect(await store.list()).not.toEqual([]);
    expect(await lacking(store.saveInfo('new', {}))).toMatch(
      /GRANT USAGE ON ALL SEQUENCES IN SCHEMA "agents" TO "reader"/,
    );
    await store.close();
    const elsewhere = as('reader', 'elsewhere');
    expect(await lacking(elsewhere.list())).toMatch(/GRANT CREATE ON DATABASE "postgres" TO "reader"/);
    await elsewhere.close();
  });
});
