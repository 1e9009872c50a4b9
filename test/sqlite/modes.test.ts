import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreConfigError, StoreUnavailableError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;
let umask: number;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  umask = process.umask(0o022);
});

afterEach(async () => {
  process.umask(umask);
  await removeDirectory(directory);
});

/** What lies in the folder, with its mode. */
async function modes(): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true });
  const found = entries.map(async (name) => {
    const { mode } = await stat(join(directory, name));
    return [relative(directory, join(directory, name)), (mode & 0o7777).toString(8)] as const;
  });
  return Object.fromEntries((await Promise.all(found)).sort());
}

describe.runIf(process.platform !== 'win32')('S5 what a store creates', () => {
  it('is for its owner alone', async () => {
    const store = new SqliteStore(join(directory, 'new', 'data', 'a.db'), join(directory, 'files'));
    await createAgent(store, 'a', [user('secret')]);
    await store.backup(join(directory, 'copies', 'b.db'));
    expect(await modes()).toEqual({
      copies: '700',
      'copies/b.db': '600',
      new: '700',
      'new/data': '700',
      'new/data/a.db': '600',
      'new/data/a.db-shm': '600',
      'new/data/a.db-wal': '600',
    });
    await store.close();
  });

  it('is for a group with fileMode, whatever the umask', async () => {
    process.umask(0o077);
    const dbPath = join(directory, 'new', 'a.db');
    const store = await createExtendedStore({
      type: 'sqlite',
      dbPath,
      fileStoreBaseDir: join(directory, 'files'),
      fileMode: 0o660,
    });
    await createAgent(store, 'a');
    await store.backup(join(directory, 'copies', 'b.db'));
    expect(await modes()).toEqual({
      copies: '770',
      'copies/b.db': '660',
      new: '770',
      'new/a.db': '660',
      'new/a.db-shm': '660',
      'new/a.db-wal': '660',
    });
    await store.close();
  });

  it('keeps the group of a folder that gives it on', async () => {
    await chmod(directory, 0o2770);
    const store = new SqliteStore(join(directory, 'new', 'a.db'), undefined, { fileMode: 0o660 });
    await createAgent(store, 'a');
    await store.close();
    expect(await modes()).toEqual({ new: '2770', 'new/a.db': '660' });
  });

  it('leaves the mode of what is there as it is', async () => {
    await mkdir(join(directory, 'data'), { mode: 0o755 });
    await writeFile(join(directory, 'data', 'a.db'), '', { mode: 0o644 });
    const store = new SqliteStore(join(directory, 'data', 'a.db'));
    await createAgent(store, 'a');
    expect(await modes()).toEqual({
      data: '755',
      'data/a.db': '644',
      'data/a.db-shm': '644',
      'data/a.db-wal': '644',
    });
    await store.close();
  });

  it.each([0o644 | 0o100, 0o440, -1, 1.5, '600', Number.NaN])('has no mode like %s', (fileMode) => {
    const create = () => new SqliteStore(':memory:', undefined, { fileMode: fileMode as number });
    expect(create).toThrow(StoreConfigError);
    expect(create).toThrow(/fileMode.*0o660/);
  });

  it.runIf(process.getuid?.() !== 0)(
    'in a folder that may not be written is an error of its own',
    async () => {
      await chmod(directory, 0o500);
      const store = new SqliteStore(join(directory, 'a.db'));
      await expect(store.list()).rejects.toBeInstanceOf(StoreUnavailableError);
      await chmod(directory, 0o700);
      await store.close();
    },
  );
});
