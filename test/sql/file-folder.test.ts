import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkFolder } from '../../src/sql/check/file-folder.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { createAgent } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});

afterEach(() => removeDirectory(directory));

describe('the folder for files', () => {
  it('H2 is made when it is first needed, and not by a health check', async () => {
    await using store = new SqliteStore(join(directory, 'a.db'), join(directory, 'not', 'yet'));
    await createAgent(store, 'a');
    expect((await store.healthCheck()).fileSystem).toEqual({ writable: true });
    expect((await readdir(directory)).filter((name) => !name.startsWith('a.db'))).toEqual([]);
    await store.backup();
    expect((await store.healthCheck()).fileSystem).toEqual({ writable: true });
    expect(await readdir(join(directory, 'not', 'yet'))).toEqual(['backups']);
  });

  it('H2 that can not be made leaves the store healthy, and says so', async () => {
    await writeFile(join(directory, 'file'), '');
    await using store = new SqliteStore(join(directory, 'a.db'), join(directory, 'file', 'store'));
    const { healthy, fileSystem } = await store.healthCheck();
    expect(healthy).toBe(true);
    expect(fileSystem).toEqual({ writable: false, error: expect.stringMatching(/file/) });
  });

  it.runIf(process.getuid?.() !== 0)('H2 that may not be written says so', async () => {
    await mkdir(join(directory, 'closed'), { mode: 0o500 });
    expect(await checkFolder(join(directory, 'closed', 'store'))).toMatchObject({ writable: false });
    await chmod(join(directory, 'closed'), 0o700);
    expect(await checkFolder(join(directory, 'closed', 'store'))).toEqual({ writable: true });
  });
});
