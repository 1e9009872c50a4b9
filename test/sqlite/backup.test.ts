import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KodeError, StoreConfigError } from '../../src/errors.ts';
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

  it('replaces an older one of the same path', async () => {
    const copy = join(directory, 'copy.db');
    await createAgent(store, 'a');
    await store.backup(copy);
    await createAgent(store, 'b', [asks('t')]);
    await store.backup(copy);
    const restored = new SqliteStore(copy);
    expect(await restored.list()).toEqual(['a', 'b']);
    await restored.close();
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
