import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { run, runBatch, type Script } from '../../src/sql/port/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import { SqliteDriver } from '../../src/sqlite/driver.ts';
import { loadBetterSqlite } from '../../src/sqlite/load.ts';
import { modesOf } from '../../src/store/modes.ts';
import { startChild } from '../support/child.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const MAKE = statement('make', 'CREATE TABLE things (id INTEGER PRIMARY KEY)');
/** More than is read in passing. */
const FILL = statement('fill', 'CREATE TABLE filling AS SELECT zeroblob(300000) AS bytes');
const ADD = statement('add', 'INSERT INTO things DEFAULT VALUES RETURNING id');
const COUNT = statement('count', 'SELECT count(*) AS things FROM things');
/** Long enough for whatever else can be done meanwhile. */
const LONG = statement(
  'long',
  'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT max(i) AS steps FROM n',
);
const STEPS = 5_000_000;

let directory: string;
let path: string;
let driver: SqliteDriver;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'things.db');
  const Database = await loadBetterSqlite();
  driver = new SqliteDriver(new Database(path), path, {
    busyTimeoutMs: 1_000,
    maxQueuedWrites: 100,
    modes: modesOf(),
  });
  driver.pragma('journal_mode = WAL');
  await driver.write(MAKE, []);
  await driver.write(FILL, []);
});

afterEach(async () => {
  await driver.close();
  await removeDirectory(directory);
});

function* countTwice(): Script<number[]> {
  const [before] = yield* run(COUNT, []);
  yield* run(LONG, [STEPS]);
  const [after] = yield* run(COUNT, []);
  return [Number(before?.things), Number(after?.things)];
}

describe('a heavy read', () => {
  it('holds up no commit, and is of one moment', async () => {
    // The thread is there: what comes next is read at once.
    await driver.analyse(() => run(COUNT, []));
    let written = 0;
    let done = false;
    const counted = driver.analyse(countTwice).finally(() => {
      done = true;
    });
    while (!done) {
      await driver.write(ADD, []);
      if (!done) written += 1;
    }
    const [before, after] = await counted;
    expect(written).toBeGreaterThan(0);
    expect(after).toBe(before);
    const [now] = await driver.analyse(() => run(COUNT, []));
    expect(Number(now?.things)).toBeGreaterThan(Number(after));
  });

  it('lets go of the log once it is done', async () => {
    await driver.write(ADD, []);
    await driver.analyse(() => run(COUNT, []));
    await driver.write(ADD, []);
    // The thread hears of the end after the answer was given.
    await driver.analyse(() => run(COUNT, []));
    const checkpoint = statement('checkpoint', 'PRAGMA wal_checkpoint(TRUNCATE)');
    await expect.poll(async () => (await driver.read(checkpoint, []))[0]).toMatchObject({ busy: 0, log: 0 });
  });

  it('that fails says why, and spoils nothing for the next one', async () => {
    const wrong = statement('wrong', 'SELECT id FROM nowhere');
    const failed = driver.analyse(() => run(wrong, []));
    const next = driver.analyse(() => run(COUNT, []));
    await expect(failed).rejects.toThrow(StoreUnavailableError);
    await expect(failed).rejects.toThrow('no such table: nowhere');
    expect(await next).toEqual([{ things: 0 }]);
  });

  it('never writes', async () => {
    await expect(driver.analyse(() => run(ADD, []))).rejects.toThrow(/readonly/);
    await expect(driver.analyse(() => runBatch({ ops: [] }))).rejects.toThrow(TypeError);
    expect(await driver.read(COUNT, [])).toEqual([{ things: 0 }]);
  });

  it('is waited for when the store closes', async () => {
    const counted = driver.analyse(countTwice);
    await driver.close();
    expect(await counted).toEqual([0, 0]);
  });

  it('of a database that went away says so', async () => {
    await driver.close();
    const gone = join(directory, 'gone.db');
    const Database = await loadBetterSqlite();
    driver = new SqliteDriver(new Database(':memory:'), gone, {
      busyTimeoutMs: 0,
      maxQueuedWrites: 100,
      modes: modesOf(),
    });
    await driver.write(MAKE, []);
    await driver.write(FILL, []);
    await expect(driver.analyse(() => run(COUNT, []))).rejects.toThrow(StoreUnavailableError);
    await expect(driver.analyse(() => run(COUNT, []))).rejects.toThrow(/reads for statistics/);
  });

  it('of little starts no thread, which would not find this file', async () => {
    await driver.close();
    const Database = await loadBetterSqlite();
    const options = { busyTimeoutMs: 0, maxQueuedWrites: 100, modes: modesOf() };
    driver = new SqliteDriver(new Database(':memory:'), join(directory, 'gone.db'), options);
    await driver.write(MAKE, []);
    expect(await driver.analyse(() => run(COUNT, []))).toEqual([{ things: 0 }]);
  });

  it('leaves the process free to end', async () => {
    const child = startChild(new URL('./reader.child.ts', import.meta.url), {
      args: [join(directory, 'a.db')],
    });
    expect(await child.rest()).toEqual(['agents: 1']);
  });
});
