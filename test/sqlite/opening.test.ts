import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CorruptDataError,
  KodeError,
  SchemaVersionError,
  StoreConfigError,
  StoreUnavailableError,
} from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { asks, conversation, createAgent, user } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;
let path: string;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const one of open.splice(0).reverse()) await one.close();
  await removeDirectory(directory);
});

function opened(dbPath: string, options?: ConstructorParameters<typeof SqliteStore>[2]): SqliteStore {
  const store = new SqliteStore(dbPath, undefined, options);
  open.push(store);
  return store;
}

async function failure(call: Promise<unknown>): Promise<KodeError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KodeError);
  return error as KodeError;
}

/** Works on a database that no store has open. */
function tamper(sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

describe('opening a SQLite file', () => {
  it('creates the folders that are missing, and the file', async () => {
    const deep = join(directory, 'not', 'there', 'yet – ünï', 'agents.db');
    await createAgent(opened(deep), 'a', [user('x')]);
    await open.pop()?.close();
    expect(await opened(deep).loadMessages('a')).toEqual([user('x')]);
  });

  it('means the same file when the process goes to another folder', async () => {
    const here = process.cwd();
    vi.spyOn(process, 'cwd').mockReturnValue(directory);
    const store = opened('relative.db');
    vi.mocked(process.cwd).mockReturnValue(here);
    await createAgent(store, 'a');
    expect(await opened(join(directory, 'relative.db')).list()).toEqual(['a']);
  });

  it(':memory: is a database of its own for each store', async () => {
    const [one, other] = [opened(':memory:'), opened(':memory:')];
    await createAgent(one, 'a', conversation(3));
    await one.fork('a', { agentId: 'b' });
    expect(await one.list()).toEqual(['a', 'b']);
    expect(await other.list()).toEqual([]);
    expect((await one.checkConsistency()).issues).toEqual([]);
  });

  it('where its folder is a file: names the path', async () => {
    await writeFile(join(directory, 'file'), 'x');
    const error = await failure(opened(join(directory, 'file', 'agents.db')).list());
    expect(error).toBeInstanceOf(StoreConfigError);
    expect(error.message).toContain('agents.db');
  });

  it('where it is a folder: names the path', async () => {
    await mkdir(path);
    const error = await failure(opened(path).list());
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.message).toContain(path);
    expect(error.message).toMatch(/ is a directory.* Name a file in it: .*agents\.db$/);
  });

  it.each([
    ['text', 'this is a note and not a database, and it is long enough to be read as one'.repeat(20)],
    ['a cut-off header', 'SQLite format 3'],
    ['noise', Buffer.from(Array.from({ length: 8_192 }, (_, n) => (n * 7_919) % 251))],
  ])('that holds %s: says that it is no database, and leaves it as it is', async (_what, content) => {
    await writeFile(path, content);
    const error = await failure(opened(path).list());
    expect(error).toBeInstanceOf(CorruptDataError);
    expect(error.message).toMatch(/agents\.db.*restore/s);
    expect((await readFile(path)).equals(Buffer.from(content))).toBe(true);
  });

  it('beside tables of somebody else leaves those alone', async () => {
    tamper('CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES (1)');
    const store = opened(path, { adopt: true });
    await createAgent(store, 'a');
    await store.delete('a');
    await store.close();
    expect(await opened(path).list()).toEqual([]);
    await open.pop()?.close();
    tamper('UPDATE notes SET text = text');
    const db = new Database(path);
    expect(db.prepare('SELECT count(*) AS n FROM notes').get()).toEqual({ n: 1 });
    db.close();
  });

  it('of a later version is refused and left as it is', async () => {
    await createAgent(opened(path), 'a', [user('x')]);
    await open.pop()?.close();
    tamper(`INSERT INTO kode_data_migrations (id, name, checksum, applied_at) VALUES (9, 'later', 'x', 0)`);
    const error = await failure(opened(path).list());
    expect(error).toBeInstanceOf(SchemaVersionError);
    expect(error.message).toMatch(/version 9.*Update the package/s);
    tamper('DELETE FROM kode_data_migrations WHERE id = 9');
    expect(await opened(path).loadMessages('a')).toEqual([user('x')]);
  });

  it('whose schema another build made is refused', async () => {
    await opened(path).list();
    await open.pop()?.close();
    tamper(`UPDATE kode_data_migrations SET checksum = 'other'`);
    expect(await failure(opened(path).list())).toBeInstanceOf(SchemaVersionError);
  });

  it('syncs each commit unless it is told to do less', async () => {
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    const settings = async (options?: ConstructorParameters<typeof SqliteStore>[2]) => {
      pragma.mockClear();
      await opened(join(directory, `${open.length}.db`), options).list();
      return pragma.mock.calls.map(([text]) => text).filter((text) => text.startsWith('synchronous'));
    };
    expect(await settings()).toEqual(['synchronous = FULL']);
    expect(await settings({ durability: 'full' })).toEqual(['synchronous = FULL']);
    expect(await settings({ durability: 'normal' })).toEqual(['synchronous = NORMAL']);
  });

  it.each([
    ['an empty path', () => new SqliteStore('')],
    ['no path', () => new SqliteStore(undefined as unknown as string)],
    ['an unknown durability', () => new SqliteStore('x.db', undefined, { durability: 'none' as 'full' })],
    ['a negative busyTimeoutMs', () => new SqliteStore('x.db', undefined, { busyTimeoutMs: -1 })],
    [
      'a busyTimeoutMs that is no number',
      () => new SqliteStore('x.db', undefined, { busyTimeoutMs: Number.NaN }),
    ],
  ])('with %s is refused at once', (_what, create) => {
    expect(create).toThrow(StoreConfigError);
  });
});

describe('a damaged database', () => {
  async function filled(): Promise<void> {
    const store = opened(path);
    await createAgent(store, 'a', [...conversation(300), asks('t')], { metadata: { k: 1 } });
    await store.close();
  }

  it('is reported as such, and never answered from', async () => {
    await filled();
    const db = new Database(path);
    const root = db
      .prepare(`SELECT rootpage FROM sqlite_master WHERE name = 'kode_data_messages'`)
      .pluck()
      .get();
    const size = Number(db.pragma('page_size', { simple: true }));
    db.pragma('journal_mode = DELETE');
    db.close();
    const bytes = await readFile(path);
    bytes.fill(0xa5, (Number(root) - 1) * size, Number(root) * size);
    await writeFile(path, bytes);
    const store = opened(path);
    const error = await failure(store.loadMessages('a'));
    expect(error).toBeInstanceOf(CorruptDataError);
    expect(error.message).toMatch(/agents\.db.*backup/s);
  });

  it.each([
    ['message', `UPDATE kode_data_messages SET payload = '{"role"' WHERE seq = 7`, 'loadMessages'],
    ['tool call', `UPDATE kode_data_tool_calls SET input = 'x'`, 'loadToolCallRecords'],
    ['metadata', `UPDATE kode_data_agents SET metadata = ''`, 'loadInfo'],
  ] as const)('in one %s is an error of the reads that need it', async (_what, sql, method) => {
    await filled();
    tamper(sql);
    const store = opened(path);
    const error = await failure(store[method]('a'));
    expect(error).toBeInstanceOf(CorruptDataError);
    expect(error.message).toContain('a');
    expect(await store.list()).toEqual(['a']);
  });

  it('whose write-ahead log is torn has what was whole', async () => {
    const store = opened(path);
    await createAgent(store, 'a', [user('first')]);
    await store.appendMessages('a', [user('second')]);
    // As after a power cut: the file and its log, while the store is still open.
    const copy = join(directory, 'copy', 'agents.db');
    await mkdir(dirname(copy));
    const log = await readFile(`${path}-wal`);
    await writeFile(copy, await readFile(path));
    await writeFile(`${copy}-wal`, log.subarray(0, log.length - 100));
    const after = opened(copy);
    expect(await after.loadMessages('a')).toEqual([user('first')]);
    expect((await after.checkConsistency()).issues).toEqual([]);
    await after.appendMessages('a', [user('again')]);
    expect(await after.loadMessages('a')).toEqual([user('first'), user('again')]);
  });
});
