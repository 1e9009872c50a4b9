import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreBusyError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { conversation, createAgent, user } from '../../src/testing/samples.ts';
import { within } from '../../src/testing/timing.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const BUSY_MS = 600;
const TICK_MS = 5;
/** Far below the time that the file is locked: whoever waited on the event loop would be seen. */
const LONGEST_GAP_MS = 100;

let directory: string;
let path: string;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await removeDirectory(directory);
});

function opened<T extends { close(): unknown }>(one: T): T {
  open.push(one);
  return one;
}

function lock(): Database.Database {
  const other = opened(new Database(path));
  other.exec('BEGIN EXCLUSIVE');
  return other;
}

/** The longest time for which nothing else could run while `work` was under way. */
async function longestGap(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - TICK_MS);
    last = now;
  }, TICK_MS);
  await work();
  clearInterval(timer);
  return Math.max(longest, performance.now() - last - TICK_MS);
}

describe('a file that another connection has locked', () => {
  it.each(['BEGIN EXCLUSIVE', 'BEGIN IMMEDIATE'])(
    'is waited for by an opening no longer than its signal says (%s), and nothing is left of it',
    async (begin) => {
      const other = opened(new Database(path));
      other.pragma('journal_mode = WAL');
      other.exec(begin);
      const store = opened(new SqliteStore(path, undefined, { busyTimeoutMs: 60_000 }));
      const stop = new AbortController();
      const opening = store.open({ signal: stop.signal }).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 50));
      stop.abort(new Error('enough'));
      expect(await within(opening, 'the end of the opening')).toBe(stop.signal.reason);
      other.exec('COMMIT');
      expect(other.prepare('SELECT name FROM sqlite_master').all()).toEqual([]);
      await createAgent(store, 'a', conversation(3));
      expect(await store.list()).toEqual(['a']);
    },
  );

  it('is waited for as long as busyTimeoutMs says, while everything else goes on', async () => {
    const store = opened(new SqliteStore(path, undefined, { busyTimeoutMs: BUSY_MS }));
    await createAgent(store, 'a', conversation(3));
    const other = lock();
    const gaps: number[] = [];
    // The machine may stop this process for a moment, but hardly each time.
    for (let tries = 0; tries < 3 && Math.min(...gaps) > LONGEST_GAP_MS; tries += 1) {
      const gap = await longestGap(async () => {
        const start = performance.now();
        const error = await store.appendMessages('a', [user('x')]).catch((reason: unknown) => reason);
        const waited = performance.now() - start;
        expect(error).toBeInstanceOf(StoreBusyError);
        expect((error as Error).message).toMatch(/busyTimeoutMs/);
        expect(waited).toBeGreaterThanOrEqual(BUSY_MS - 1);
        expect(waited).toBeLessThan(BUSY_MS + 2_000);
      });
      gaps.push(gap);
    }
    expect(Math.min(...gaps)).toBeLessThan(LONGEST_GAP_MS);
    // Readers aren't kept out, and nothing of the refused writes was stored.
    expect(await store.loadMessages('a')).toEqual(conversation(3));
    other.exec('ROLLBACK');
    await store.appendMessages('a', [user('x')]);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('is written as soon as it is free', async () => {
    const store = opened(new SqliteStore(path));
    await createAgent(store, 'a');
    const other = lock();
    const writes = Promise.all(Array.from({ length: 20 }, () => store.appendMessages('a', [user('x')])));
    setTimeout(() => other.exec('COMMIT'), 200);
    await writes;
    expect(await store.loadMessages('a')).toHaveLength(20);
  });

  it('is opened as soon as it is free, also when it is empty', async () => {
    const other = lock();
    const store = opened(new SqliteStore(path));
    const created = createAgent(store, 'a', [user('x')]);
    setTimeout(() => other.exec('COMMIT'), 200);
    await created;
    expect(await store.loadMessages('a')).toEqual([user('x')]);
  });

  it('is not opened within busyTimeoutMs: says so, and is opened later', async () => {
    const other = lock();
    const store = opened(new SqliteStore(path, undefined, { busyTimeoutMs: 100 }));
    await expect(store.list()).rejects.toBeInstanceOf(StoreBusyError);
    other.exec('COMMIT');
    expect(await store.list()).toEqual([]);
  });

  it('does not wait at all with busyTimeoutMs 0', async () => {
    const store = opened(new SqliteStore(path, undefined, { busyTimeoutMs: 0 }));
    await createAgent(store, 'a');
    lock();
    const start = performance.now();
    await expect(store.appendMessages('a', [user('x')])).rejects.toBeInstanceOf(StoreBusyError);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
