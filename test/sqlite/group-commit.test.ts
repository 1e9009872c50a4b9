import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentExistsError, LeaseNotHeldError, StoreUnavailableError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { collect, createAgent, progress, user } from '../../src/testing/samples.ts';
import { outcomes } from '../../src/testing/timing.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { transactionsInLog } from './write-ahead-log.ts';

const COMMITS = 64;
const ids = Array.from({ length: COMMITS }, (_, n) => `a${n}`);

let directory: string;
let path: string;
let store: SqliteStore;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
  store = new SqliteStore(path);
  await Promise.all(ids.map((id) => createAgent(store, id)));
});

afterEach(async () => {
  await store.close();
  await removeDirectory(directory);
});

/** How many transactions, and so syncs of the disk, the work takes. */
async function transactions(work: () => Promise<unknown>): Promise<number> {
  const before = transactionsInLog(path);
  await work();
  return transactionsInLog(path) - before;
}

/** Messages that contain this text make the database end with an error: see https://www.sqlite.org/lang_conflict.html */
function poison(text: string, how: 'ABORT' | 'FAIL' | 'ROLLBACK'): void {
  const other = new Database(path);
  other.exec(`CREATE TRIGGER poison BEFORE INSERT ON kode_data_messages WHEN new.payload LIKE '%${text}%'
    BEGIN SELECT RAISE(${how}, 'poisoned'); END`);
  other.close();
}

describe('commits that arrive together', () => {
  it('share a few transactions', async () => {
    const commit = (id: string) => store.commit(id, { messages: [user('x')], events: [progress('x')] });
    expect(await transactions(() => commit('a0'))).toBe(1);
    expect(await transactions(() => Promise.all(ids.map(commit)))).toBeLessThanOrEqual(4);
    for (const id of ids) expect((await store.loadMessages(id)).length).toBeGreaterThan(0);
  });

  it('to one agent keep their order', async () => {
    await Promise.all(ids.map((_, n) => store.appendMessages('a0', [user(`${n}`)])));
    expect(await store.loadMessages('a0')).toEqual(ids.map((_, n) => user(`${n}`)));
  });

  it('of events of one agent share a few, too', async () => {
    const append = () => Promise.all(ids.map(() => store.appendEvent('a0', progress('x'))));
    expect(await transactions(append)).toBeLessThanOrEqual(4);
    expect(await collect(store.readEvents('a0'))).toHaveLength(COMMITS);
  });

  it('and are refused leave the others in the same transaction alone', async () => {
    const refused = ids.filter((_, n) => n % 8 === 3);
    for (const id of refused) await store.acquireAgentLock(id);
    let failures: unknown[] = [];
    const work = async () => {
      const commits = ids.map((id) => store.commit(id, { messages: [user('x')], events: [progress('x')] }));
      const creations = refused.map((id) => createAgent(store, id, [user('twice')]));
      failures = (await outcomes<unknown>([...commits, ...creations])).errors;
    };
    expect(await transactions(work)).toBeLessThan(COMMITS / 4);
    expect(failures.filter((error) => error instanceof LeaseNotHeldError)).toHaveLength(refused.length);
    expect(failures.filter((error) => error instanceof AgentExistsError)).toHaveLength(refused.length);
    expect(failures).toHaveLength(2 * refused.length);
    for (const id of ids) {
      const count = refused.includes(id) ? 0 : 1;
      expect((await store.loadMessages(id)).length).toBe(count);
      expect(await collect(store.readEvents(id))).toHaveLength(count);
    }
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  // ROLLBACK ends the whole transaction, as a full disk does; ABORT and FAIL only the statement.
  it.each(['ABORT', 'FAIL', 'ROLLBACK'] as const)(
    'and of which one fails in the database (%s) are stored but for that one',
    async (how) => {
      poison('poison', how);
      const commits = ids.map((id, n) =>
        store.commit(id, { messages: [user(n === 20 ? 'poison' : 'x')], events: [progress('x')] }),
      );
      const { errors } = await outcomes(commits);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toBeInstanceOf(StoreUnavailableError);
      for (const [n, id] of ids.entries()) {
        const count = n === 20 ? 0 : 1;
        expect((await store.loadMessages(id)).length).toBe(count);
        expect(await collect(store.readEvents(id))).toHaveLength(count);
        expect((await store.loadInfo(id))?.version).toBe(1 + count);
      }
      expect((await store.checkConsistency()).issues).toEqual([]);
      await store.appendMessages('a20', [user('x')]);
    },
  );
});
