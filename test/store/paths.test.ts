import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreConfigError } from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { storePath } from '../../src/store/config.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import { databasePath, givenPath } from '../../src/store/paths.ts';
import { createAgent } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});

afterEach(() => removeDirectory(directory));

const windows = process.platform === 'win32';

describe('S4 a path', () => {
  it.each([
    ['agents.db', resolve('agents.db')],
    ['./data/agents.db', resolve('data/agents.db')],
    [join(homedir(), 'a b', 'ünï.db'), join(homedir(), 'a b', 'ünï.db')],
    ['~/data/agents.db', join(homedir(), 'data', 'agents.db')],
    ['~', homedir()],
    ['./~agents.db', resolve('~agents.db')],
    [pathToFileURL(resolve('a b/50%#?.db')).href, resolve('a b/50%#?.db')],
    [`${pathToFileURL(resolve('x.db')).href}?mode=rwc&cache=private`, resolve('x.db')],
    ['file:data/a%20b.db', resolve('data/a b.db')],
    ['file:./agents.db', resolve('agents.db')],
    ['FILE:agents.db', resolve('agents.db')],
    ['file:~/agents.db', join(homedir(), 'agents.db')],
    ['a:b.db', resolve('a:b.db')],
    ["it's.db", resolve("it's.db")],
  ])('%s is the file that it names', (given, file) => {
    if (windows && given === 'a:b.db') return;
    expect(databasePath(given, 'dbPath')).toBe(file);
    expect(givenPath(given, 'path')).toBe(file);
    // What was made absolute means the same ever after.
    expect(databasePath(file, 'dbPath')).toBe(file);
  });

  it.each([
    [' :memory: ', /begins or ends with blanks.*":memory:"/],
    ['agents.db ', /write "agents\.db"/],
    ['file::memory:', /in memory is written ":memory:"/],
    ['file:x?mode=memory&cache=shared', /in memory is written ":memory:"/],
    [':Memory:', /in memory is written ":memory:"/],
    ['sqlite:///data/agents.db', /write "\.\/data\/agents\.db" .*"\/data\/agents\.db"/],
    ['sqlite3:agents.db', /write "\.\/agents\.db"/],
    ['jdbc:sqlite:agents.db', /write "\.\/agents\.db"/],
    ['sqlite://:memory:', /write ":memory:"/],
    ['postgres://kode@localhost/agents', /path of the SQLite file/],
    ['https://example.com/agents.db', /path of the SQLite file/],
    ['"C:\\data\\agents.db"', /quotes.*CMD/],
    ["'./agents.db'", /quotes.*write "\.\/agents\.db"/],
    ['"agents.db', /quotes/],
    ['a\0b.db', /NUL/],
    ['file:a%00b.db', /NUL/],
    ['file:a%2Fb.db', /names no path here/],
    ['file:50%.db', /names no path here.*%25/],
    ['file:///', /path is missing/],
    ['file:', /path is missing/],
    ['file:a.db#b', /%23/],
    ['file:a.db?mode=ro', /mode=ro isn't known/],
    ['file:a.db?mode=rwc&vfs=unix-none', /vfs=unix-none isn't known/],
    ['~ada/agents.db', /"\.\/~ada\/agents\.db"/],
  ])('%j is refused with the right form', (given, advice) => {
    expect(() => databasePath(given, 'dbPath')).toThrow(StoreConfigError);
    expect(() => databasePath(given, 'dbPath')).toThrow(/^dbPath is /);
    expect(() => databasePath(given, 'dbPath')).toThrow(advice);
  });

  it.runIf(!windows)('of a file: URL on another host is refused', () => {
    expect(() => databasePath('file://data/agents.db', 'dbPath')).toThrow(/file:\.\/folder\/file/);
  });

  it.each([undefined, null, 5, '', '  ', {}])('%j is no path', (given) => {
    expect(() => databasePath(given, 'dbPath')).toThrow(/^dbPath must be the path/);
    expect(() => givenPath(given, 'path')).toThrow(/^path must be a path/);
  });
});

describe('S4 wherever a path is given', () => {
  it('the same file is meant, and nothing is created where it only looks like one', async () => {
    const path = join(directory, 'a b.db');
    await using store = new SqliteStore(
      pathToFileURL(path).href,
      pathToFileURL(join(directory, 'files')).href,
    );
    await createAgent(store, 'a');
    await using same = await createExtendedStore({ type: 'sqlite', dbPath: path });
    expect(await same.list()).toEqual(['a']);
    const copy = await store.backup(pathToFileURL(join(directory, 'copy.db')).href);
    expect(copy).toBe(join(directory, 'copy.db'));
    await expect(store.backup('sqlite:///copy.db')).rejects.toThrow(/^path is .*write "\.\/copy\.db"/);
    expect((await store.backup()).startsWith(join(directory, 'files', 'backups'))).toBe(true);
  });

  it('the message names where', async () => {
    expect(() => new SqliteStore(':memory:', '"files"')).toThrow(/^fileStoreBaseDir is .*quotes/);
    expect(() => new JSONStore('sqlite:///x')).toThrow(/^baseDir is /);
    expect(() => new SqliteStore(':memory:', 5 as never)).toThrow(/^fileStoreBaseDir must be/);
    const config = { type: 'sqlite', dbPath: ' :memory: ' } as const;
    await expect(createExtendedStore(config)).rejects.toThrow(/^config\.dbPath is/);
    expect(() => storePath(undefined, { KODE_STORE_PATH: '"./store"' })).toThrow(/^KODE_STORE_PATH is/);
    expect(storePath(undefined, { KODE_STORE_PATH: ' ~/store ' })).toBe(join(homedir(), 'store'));
  });
});
