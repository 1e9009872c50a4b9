import { copyFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { withClock } from '../../src/model/clock.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

/** Long enough for a pause. */
const PAUSE_MS = 1_000;

let directory: string;
let path: string;
let clock: MovableClock;
let store: SqliteStore;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
  clock = new MovableClock();
  store = new SqliteStore(path, undefined, withClock(clock));
  await createAgent(store, 'a', [user('stored')]);
});

afterEach(async () => {
  await store.close();
  await removeDirectory(directory);
});

// Windows removes no file that is open.
describe.runIf(process.platform !== 'win32')('a database whose file is gone', () => {
  it.each([
    ['removed', 'agents.db', () => rm(path)],
    ['moved away', 'agents.db', () => rename(path, `${path}.old`)],
    [
      'replaced',
      'agents.db',
      async () => {
        await copyFile(path, `${path}.new`);
        await rename(`${path}.new`, path);
      },
    ],
    ['without its log', 'agents.db-wal', () => rm(`${path}-wal`)],
    ['without the index of its log', 'agents.db-shm', () => rm(`${path}-shm`)],
  ])('S7 (%s) is noticed by the health check, and before the next commit', async (_what, name, act) => {
    expect((await store.healthCheck()).healthy).toBe(true);
    await act();
    const { healthy, database } = await store.healthCheck();
    expect(healthy).toBe(false);
    expect(database).toMatchObject({ connected: false, error: expect.stringContaining(name) });
    await clock.advance(PAUSE_MS);
    for (let n = 0; n < 2; n += 1) {
      const error = await store.appendMessages('a', [user('lost')]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect((error as Error).message).toMatch(new RegExp(`${name} was .* nothing of this was stored`));
    }
    await expect(store.appendEvent('a', { channel: 'progress', type: 'x' })).rejects.toThrow(/was/);
  });

  it('S7 is written to again when it has come back', async () => {
    await rename(path, `${path}.away`);
    await clock.advance(PAUSE_MS);
    await expect(store.appendMessages('a', [user('lost')])).rejects.toThrow(/removed/);
    await rename(`${path}.away`, path);
    await store.appendMessages('a', [user('there')]);
    expect((await store.healthCheck()).healthy).toBe(true);
    expect(await store.loadMessages('a')).toEqual([user('stored'), user('there')]);
  });

  it('S7 leaves what has come to its place alone', async () => {
    for (const suffix of ['', '-wal', '-shm']) await rename(path + suffix, `${path}.old${suffix}`);
    await using other = new SqliteStore(path);
    await createAgent(other, 'b', [user('new')]);
    await store.close();
    await other.appendMessages('b', [user('on')]);
    await using again = new SqliteStore(path);
    expect(await again.loadMessages('b')).toEqual([user('new'), user('on')]);
  });
});
