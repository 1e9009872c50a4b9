import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { progress, user } from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { checkAcknowledged } from './checks.ts';
import { digestOf, type Said } from './said.ts';
import { surviveKill } from './torture.ts';

// npm run torture does this a hundred times for each backend, and kills the server, too.

const database = postgresDatabase('postgres18');

async function file(name: string): Promise<string> {
  const folder = await makeTemporaryDirectory();
  onTestFinished(() => removeDirectory(folder));
  return join(folder, name);
}

describe('a writer that is killed', () => {
  it('loses nothing that it was told is stored, on SQLite', { timeout: 60_000 }, async () => {
    const place = { kind: 'sqlite', path: await file('agents.db') } as const;
    for (const said of [5, 40])
      expect(await surviveKill({ place, prefix: `k${said}`, after: { said, ms: 3 } })).toBeGreaterThan(0);
  });

  it('loses nothing that it was told is stored, on PostgreSQL', { timeout: 60_000 }, async () => {
    const { url, createSchema } = await database();
    const place = { kind: 'postgres', url, schema: await createSchema() } as const;
    for (const said of [5, 40])
      expect(await surviveKill({ place, prefix: `k${said}`, after: { said, ms: 3 } })).toBeGreaterThan(0);
  });
});

describe('what is looked for after a kill', () => {
  const messages = [user('one'), user('two')];
  const holds: Said = { done: 'holds', id: 'a', count: 2, digest: digestOf(messages) };

  it.each<[string, Said, string]>([
    ['a message', { ...holds, count: 3, digest: digestOf([...messages, user('three')]) }, 'held 3 messages'],
    ['an event', { done: 'events', id: 'a', count: 3 }, 'had 3 events, and has 2'],
    ['a document', { done: 'document', id: 'a', content: 2 }, 'had document 2, and has 1'],
    ['a deletion', { done: 'deleted', id: 'a' }, 'was deleted'],
  ])('notices that %s is lost', async (_, lost, message) => {
    const store = new SqliteStore(':memory:');
    await store.commit('a', {
      info: {},
      messages,
      events: [progress('x'), progress('y')],
      expectedVersion: 0,
    });
    await store.saveDocument('a', { kind: 'media-cache', name: 'x', content: 1 });
    expect(await checkAcknowledged(store, [holds, { done: 'events', id: 'a', count: 2 }])).toBe(2);
    await expect(checkAcknowledged(store, [lost])).rejects.toThrow(message);
    await store.close();
  });
});
