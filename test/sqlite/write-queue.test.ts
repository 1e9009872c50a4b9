import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreBusyError } from '../../src/errors.ts';
import { run } from '../../src/sql/port/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import { SqliteDriver } from '../../src/sqlite/driver.ts';
import { isBusy } from '../../src/sqlite/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { MAX_UNITS, WriteQueue, type WriteQueueOptions } from '../../src/sqlite/write-queue.ts';
import { modesOf } from '../../src/store/modes.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { transactionsInLog } from './write-ahead-log.ts';

let directory: string;
let path: string;
let db: Database.Database;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'things.db');
  db = connect();
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE things (id INTEGER PRIMARY KEY)');
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await removeDirectory(directory);
});

function connect(): Database.Database {
  const connection = new Database(path, { timeout: 0 });
  open.push(connection);
  return connection;
}

function queue(options: Partial<WriteQueueOptions> = {}): WriteQueue {
  return new WriteQueue(db, { busyTimeoutMs: 5_000, maxQueuedWrites: 10_000, ...options });
}

const add = () => db.exec('INSERT INTO things DEFAULT VALUES');
const count = () => db.prepare('SELECT count(*) FROM things').pluck().get();

/** Looks between all promises that are settled in a few turns of the event loop. */
async function betweenPromises(look: () => void): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    for (let n = 0; n < 50; n += 1) {
      look();
      await null;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the queue of writes', () => {
  it.each([1, 3, 600])('S1 is never in a transaction while others run (%i writes)', async (writes) => {
    const writer = queue();
    let open = 0;
    const looking = betweenPromises(() => {
      if (db.inTransaction) open += 1;
    });
    await Promise.all(Array.from({ length: writes }, () => writer.submit(add)));
    await looking;
    expect(open).toBe(0);
    expect(count()).toBe(writes);
  });

  it('S1 gives way to everything else between two transactions', async () => {
    const writer = queue();
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 0);
    let settled = 0;
    const seen = new Set<number>();
    const looking = setInterval(() => seen.add(settled), 0);
    await Promise.all(Array.from({ length: 2_000 }, () => writer.submit(add).then(() => (settled += 1))));
    clearInterval(ticking);
    clearInterval(looking);
    expect(turns).toBeGreaterThan(2);
    expect(seen.size).toBeGreaterThan(2);
  });

  it('X3 takes no more than it may hold, and goes on when there is room', async () => {
    const writer = queue({ maxQueuedWrites: 3 });
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => writer.submit(add)));
    expect(results.map(({ status }) => status)).toEqual([
      ...Array<string>(3).fill('fulfilled'),
      ...Array<string>(2).fill('rejected'),
    ]);
    const refused = results[4] as PromiseRejectedResult;
    expect(refused.reason).toBeInstanceOf(StoreBusyError);
    expect(refused.reason.message).toMatch(/3 writes wait.*maxQueuedWrites/);
    await writer.submit(add);
    expect(count()).toBe(4);
  });

  it('waits for a lock no longer than it may, whenever a write came', async () => {
    const writer = queue({ busyTimeoutMs: 300 });
    const other = connect();
    other.exec('BEGIN IMMEDIATE');
    const started = performance.now();
    const waited: number[] = [];
    const write = () =>
      writer.submit(add).then(
        () => expect.unreachable(),
        (error: unknown) => {
          expect(isBusy(error)).toBe(true);
          waited.push(performance.now() - started);
        },
      );
    const first = write();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all([first, write()]);
    const [early = 0, late = 0] = waited;
    expect(early).toBeGreaterThanOrEqual(299);
    expect(late).toBeGreaterThanOrEqual(399);
    other.exec('COMMIT');
    await writer.submit(add);
    expect(count()).toBe(1);
  });

  it('stores what came while the file was locked in one transaction', async () => {
    const writer = queue();
    const other = connect();
    other.exec('BEGIN IMMEDIATE');
    const writes = [writer.submit(add)];
    await new Promise((resolve) => setTimeout(resolve, 20));
    writes.push(...Array.from({ length: 20 }, () => writer.submit(add)));
    other.exec('COMMIT');
    const before = transactionsInLog(path);
    await Promise.all(writes);
    expect(transactionsInLog(path)).toBe(before + 1);
    expect(count()).toBe(21);
  });
});

describe('a driver under many writes and reads at once', () => {
  it('S1 neither nests transactions nor refuses one', async () => {
    const ADD = statement('add', 'INSERT INTO things DEFAULT VALUES');
    const COUNT = statement('count', 'SELECT count(*) AS things FROM things');
    const driver = new SqliteDriver(db, path, {
      busyTimeoutMs: 5_000,
      maxQueuedWrites: 10_000,
      modes: modesOf(),
    });
    // More than share a transaction, several times over, so that one begins while others are acknowledged.
    await Promise.all(
      Array.from({ length: 10 * MAX_UNITS }, async (_, n) => {
        await driver.write(ADD, []);
        for (let k = 0; k < n % 40; k += 1) await null;
        await driver.snapshot(() => run(COUNT, []));
      }),
    );
    expect(await driver.read(COUNT, [])).toEqual([{ things: 10 * MAX_UNITS }]);
    await driver.close();
  });
});

describe('a store', () => {
  it.each([0, 1.5, Number.NaN])('with maxQueuedWrites %d is refused', (maxQueuedWrites) => {
    expect(() => new SqliteStore(':memory:', undefined, { maxQueuedWrites })).toThrow(/maxQueuedWrites/);
  });
});
