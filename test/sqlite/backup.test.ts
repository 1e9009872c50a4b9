import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KodeError, StoreConfigError, ValidationError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { answers, asks, collect, createAgent, progress, user } from '../../src/testing/samples.ts';
import { startChild } from '../support/child.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;
let path: string;
let store: SqliteStore;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
  store = new SqliteStore(path, join(directory, 'files'));
});

afterEach(async () => {
  await store.close();
  await removeDirectory(directory);
});

/** Opens the copy: it is whole, of one moment, and a store like any other. */
async function check(copy: string, id: string): Promise<number> {
  const db = new Database(copy);
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  db.close();
  const restored = new SqliteStore(copy);
  expect((await restored.checkConsistency()).issues).toEqual([]);
  const { messages, toolCalls } = await restored.loadAgent(id);
  expect(messages).toHaveLength(2 * toolCalls.length);
  expect(await collect(restored.readEvents(id))).toHaveLength(toolCalls.length);
  await restored.appendMessages(id, [user('on')]);
  await restored.close();
  return toolCalls.length;
}

/** Enough for many steps of copying. */
async function fillForBackup(filled: SqliteStore): Promise<void> {
  const text = 'x'.repeat(100_000);
  await createAgent(
    filled,
    'a',
    Array.from({ length: 40 }, () => user(text)),
  );
}

describe('a backup', () => {
  it('that is made while the store writes is of one moment', { timeout: 60_000 }, async () => {
    await createAgent(store, 'a');
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n += 1) {
        await store.commit('a', {
          messages: [asks(`${n}`), answers(`${n}`)],
          toolCalls: [{ toolCallId: `${n}`, state: 'completed' }],
          events: [progress(`${n}`)],
        });
      }
      return store.loadToolCallRecords('a');
    })();
    const copies: string[] = [];
    for (let n = 0; n < 4; n += 1)
      copies.push(await store.backup(join(directory, 'copies', `${n}`, 'agents.db')));
    writing = false;
    const steps = (await writer).length;
    const seen: number[] = [];
    for (const copy of copies) seen.push(await check(copy, 'a'));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBeLessThanOrEqual(steps);
  });

  it('that is made while another process writes is of one moment', { timeout: 60_000 }, async () => {
    await store.list();
    const writer = startChild(new URL('./writer.child.ts', import.meta.url), {
      args: [path, '1000000', 'a', 'b'],
    });
    expect(await writer.line()).toBe('open');
    expect(await writer.line()).toBeDefined();
    try {
      for (let n = 0; n < 3; n += 1) await check(await store.backup(join(directory, `copy-${n}.db`)), 'a');
    } finally {
      await writer.kill();
    }
  });

  it("goes to the store's folder by default, each to a file of its own", async () => {
    await createAgent(store, 'a');
    const copies = [await store.backup(), await store.backup()];
    expect(new Set(copies).size).toBe(2);
    const files = await readdir(join(directory, 'files', 'backups'));
    expect(files.map((file) => join(directory, 'files', 'backups', file)).sort()).toEqual([...copies].sort());
    for (const copy of copies) await check(copy, 'a');
  });

  it('goes beside the database where the store has no folder, and of one in memory nowhere by itself', async () => {
    const [beside, inMemory] = [new SqliteStore(path), new SqliteStore(':memory:')];
    try {
      await createAgent(beside, 'a');
      const copy = await beside.backup();
      expect(dirname(copy)).toBe(join(directory, 'backups'));
      await check(copy, 'a');
      await createAgent(inMemory, 'a');
      await expect(inMemory.backup()).rejects.toThrow(/^path: is needed: a database in memory/);
      await expect(inMemory.backup()).rejects.toBeInstanceOf(ValidationError);
      await check(await inMemory.backup(join(directory, 'of-memory.db')), 'a');
    } finally {
      await beside.close();
      await inMemory.close();
    }
  });

  it('S6 replaces an older one of the same path if it is told to', async () => {
    const copy = join(directory, 'copy.db');
    await createAgent(store, 'a');
    await store.backup(copy);
    await createAgent(store, 'b', [asks('t')]);
    const before = await readFile(copy);
    await expect(store.backup(copy)).rejects.toThrow(/copy\.db exists already.*overwrite: true/);
    await expect(store.backup(copy, { overwrite: false })).rejects.toBeInstanceOf(ValidationError);
    expect((await readFile(copy)).equals(before)).toBe(true);
    expect(await store.backup(copy, { overwrite: true })).toBe(copy);
    const restored = new SqliteStore(copy);
    expect(await restored.list()).toEqual(['a', 'b']);
    // Its log would be taken for the new file's.
    await expect(store.backup(copy, { overwrite: true })).rejects.toThrow(/copy\.db-wal.*open there/);
    await restored.close();
    await store.backup(copy, { overwrite: true });
  });

  it('S6 that is killed leaves nothing under its name, and the next one cleans up', async () => {
    await fillForBackup(store);
    await store.close();
    const folder = join(directory, 'copies');
    const copy = join(folder, 'copy.db');
    const child = startChild(new URL('./backup.child.ts', import.meta.url), { args: [path, copy] });
    expect(await child.rest()).toEqual(['in the middle']);
    const [left, ...others] = await readdir(folder);
    expect(left).toMatch(/^\.kode-backup-.*\.partial$/);
    expect(others.filter((name) => !name.endsWith('-journal'))).toEqual([]);

    store = new SqliteStore(path);
    await writeFile(join(folder, '.kode-backup-of-mine.partial'), 'not ours');
    await store.backup(copy);
    expect((await readdir(folder)).sort()).toEqual(['.kode-backup-of-mine.partial', 'copy.db']);
    const restored = new SqliteStore(copy);
    expect((await restored.checkConsistency()).issues).toEqual([]);
    expect(await restored.loadMessages('a')).toEqual(await store.loadMessages('a'));
    await restored.close();
  });

  it('S6 that is aborted or fails leaves nothing', async () => {
    await fillForBackup(store);
    const folder = join(directory, 'copies');
    const stop = new AbortController();
    const copying = store.backup(join(folder, 'copy.db'), { signal: stop.signal });
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(copying).rejects.toThrow('enough');
    await expect(store.backup(join(folder, 'copy.db'), { signal: stop.signal })).rejects.toThrow('enough');
    expect(await readdir(folder)).toEqual([]);
    await mkdir(join(folder, 'copy.db'));
    await expect(store.backup(join(folder, 'copy.db'), { overwrite: true })).rejects.toThrow(/no file/);
    expect(await readdir(folder)).toEqual(['copy.db']);
  });

  it.each([
    [{ overwrite: 'yes' }, /overwrite/],
    [{ signal: 5 }, /signal/],
    [5, /options/],
  ])('with options %j is refused', async (options, named) => {
    await expect(store.backup(join(directory, 'copy.db'), options as never)).rejects.toThrow(named);
  });

  it('of a database in memory is a file', async () => {
    const memory = new SqliteStore(':memory:', directory);
    await createAgent(memory, 'a');
    await check(await memory.backup(), 'a');
    await memory.close();
  });

  it('onto the database itself is refused', async () => {
    await createAgent(store, 'a', [user('x')]);
    await expect(store.backup(path)).rejects.toBeInstanceOf(StoreConfigError);
    await symlink(path, join(directory, 'same.db'));
    await expect(store.backup(join(directory, 'same.db'), { overwrite: true })).rejects.toBeInstanceOf(
      StoreConfigError,
    );
    await expect(store.backup(join(directory, 'files', '..', 'agents.db'))).rejects.toBeInstanceOf(
      StoreConfigError,
    );
    expect(await store.loadMessages('a')).toEqual([user('x')]);
  });

  it('to where no file can be says so', async () => {
    await mkdir(join(directory, 'folder'));
    await createAgent(store, 'a');
    await expect(store.backup(join(directory, 'folder'))).rejects.toBeInstanceOf(KodeError);
    await expect(store.backup(join(path, 'inside'))).rejects.toBeInstanceOf(KodeError);
  });
});
