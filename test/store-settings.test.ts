import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createExtendedStore,
  createStore,
  JSONStore,
  PostgresStore,
  SqliteStore,
  StoreConfigError,
} from '../src/index.ts';
import { makeTemporaryDirectory, removeDirectory } from './support/temporary.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a caller without a type checker may pass
type Anything = any;

function thrower(): never {
  throw new Error('from the caller');
}

const UNREADABLE = new Proxy({}, { get: thrower, ownKeys: thrower, getPrototypeOf: thrower, has: thrower });

function failureIn(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

const NO_OPTIONS: Anything[] = [null, 5, 'x', true, [], () => 1, new Map(), new Date(), UNREADABLE];
const NO_PATH: Anything[] = [null, 5, true, [], {}, '', ' ', () => 1, UNREADABLE];

describe('A3 what a store is made with', () => {
  const good = { host: 'localhost', database: 'd', user: 'u' };

  it.each(NO_OPTIONS)('options that are none', (options) => {
    expect(failureIn(() => new SqliteStore(':memory:', undefined, options))).toBeInstanceOf(StoreConfigError);
    expect(failureIn(() => new PostgresStore(good, undefined, options))).toBeInstanceOf(StoreConfigError);
    expect(failureIn(() => new JSONStore('./x', options))).toBeInstanceOf(StoreConfigError);
  });

  it.each(NO_PATH)('paths that are none', (path) => {
    expect(failureIn(() => new SqliteStore(path))).toBeInstanceOf(StoreConfigError);
    expect(failureIn(() => new SqliteStore(':memory:', path))).toBeInstanceOf(StoreConfigError);
    expect(failureIn(() => new PostgresStore(good, path))).toBeInstanceOf(StoreConfigError);
    expect(failureIn(() => new JSONStore(path))).toBeInstanceOf(StoreConfigError);
  });

  it('connections that are none', () => {
    for (const connection of [undefined, null, 5, '', 'localhost', true, () => 1, UNREADABLE] as Anything[]) {
      expect(failureIn(() => new PostgresStore(connection))).toBeInstanceOf(StoreConfigError);
    }
  });

  it('signals that are none, and options of opening that nobody knows', async () => {
    const configs = [
      { type: 'sqlite', dbPath: ':memory:' },
      { type: 'json', baseDir: './x' },
    ] as const;
    for (const wrong of [{ signal: 1 }, { timeoutMs: 5 }, null, 5, UNREADABLE] as Anything[]) {
      for (const config of configs) {
        await expect(createStore(config, wrong)).rejects.toBeInstanceOf(StoreConfigError);
      }
      await expect(createExtendedStore(configs[0], wrong)).rejects.toBeInstanceOf(StoreConfigError);
    }
  });

  it('a signal that has aborted: its reason, and nothing is made', async () => {
    const directory = await makeTemporaryDirectory();
    const reason = new Error('enough');
    const dbPath = join(directory, 'in', 'agents.db');
    const made = createExtendedStore({ type: 'sqlite', dbPath }, { signal: AbortSignal.abort(reason) });
    await expect(made).rejects.toBe(reason);
    expect(await readdir(directory)).toEqual([]);
    await removeDirectory(directory);
  });

  it.each([null, 5, 'sqlite', [], {}, { type: 'mysql' }, { type: Symbol('s') }, UNREADABLE] as Anything[])(
    'configurations that are none',
    async (config) => {
      await expect(createExtendedStore(config)).rejects.toBeInstanceOf(StoreConfigError);
      await expect(createStore(config)).rejects.toBeInstanceOf(StoreConfigError);
    },
  );

  it('A2 unknown keys, with what was probably meant', async () => {
    const slips: [() => unknown, string][] = [
      [() => new SqliteStore(':memory:', undefined, { busyTimeout: 5 } as Anything), 'busyTimeoutMs'],
      [() => new PostgresStore(good, undefined, { shema: 'x' } as Anything), 'schema'],
      [() => new JSONStore('./x', { durabilty: 'full' } as Anything), 'durability'],
    ];
    for (const [make, meant] of slips) {
      expect(failureIn(make)).toMatchObject({
        code: 'STORE_CONFIG',
        message: expect.stringContaining(`did you mean "${meant}"?`),
      });
    }
    await expect(createExtendedStore({ type: 'sqlite', dbpath: 'x' } as Anything)).rejects.toMatchObject({
      code: 'STORE_CONFIG',
      message: expect.stringContaining('did you mean "dbPath"?'),
    });
    await expect(createStore({ type: 'json', basedir: 'x' } as Anything)).rejects.toMatchObject({
      message: expect.stringContaining('did you mean "baseDir"?'),
    });
  });

  it('A5 a port that is a text is told to be a number, by its type', () => {
    const failure = failureIn(() => new PostgresStore({ ...good, port: '5432' } as Anything));
    expect(failure).toMatchObject({
      code: 'STORE_CONFIG',
      message: expect.stringContaining('is the string "5432"; it must be a number'),
    });
  });

  it.each([
    ['callTimeoutMs', 0],
    ['maxQueuedCalls', 0],
    ['prepare', 'never'],
    ['readConnection', 'mysql://x'],
    ['schema', 'pg_own'],
    ['holder', ''],
  ])('every option of a PostgreSQL store in a configuration: %s', async (option, wrong) => {
    const config = { type: 'postgres', connection: 'postgres://localhost/d', [option]: wrong } as Anything;
    await expect(createExtendedStore(config)).rejects.toMatchObject({
      code: 'STORE_CONFIG',
      message: expect.not.stringContaining('is no '),
    });
  });

  it("leaves alone what is the driver's", async () => {
    const store = new PostgresStore({ ...good, ssl: false, application_name: 'x', allowExitOnIdle: true });
    await store.close();
  });

  it('a folder that opens is the only one that is made', async () => {
    const directory = await makeTemporaryDirectory();
    await expect(
      createStore({ type: 'json', baseDir: join(directory, 'x'), y: 1 } as Anything),
    ).rejects.toThrow();
    const { readdir } = await import('node:fs/promises');
    expect(await readdir(directory)).toEqual([]);
    await removeDirectory(directory);
  });
});
