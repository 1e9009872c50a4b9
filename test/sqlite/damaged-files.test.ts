import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CorruptDataError, KodeError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { conversation } from '../../src/testing/samples.ts';
import { fillForChecks } from '../support/tampering.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;
let sound: Buffer;
let pageSize: number;

beforeAll(async () => {
  directory = await makeTemporaryDirectory();
  const path = join(directory, 'sound.db');
  await using store = new SqliteStore(path);
  await fillForChecks(store);
  await store.appendMessages('a', conversation(60));
  await store.close();
  const db = new Database(path);
  db.pragma('journal_mode = DELETE');
  // Pages that nobody needs tell nobody that they are damaged.
  db.exec('VACUUM');
  pageSize = Number(db.pragma('page_size', { simple: true }));
  db.close();
  sound = await readFile(path);
});

afterAll(() => removeDirectory(directory));

/** Numbers below 2^32, the same ones in each run: https://en.wikipedia.org/wiki/Xorshift */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What a full check of such a file says: it found something, it could not be read, or all is well. */
async function check(name: string, bytes: Buffer): Promise<'found' | 'corrupt' | 'consistent'> {
  const path = join(directory, `${name}.db`);
  await writeFile(path, bytes);
  const store = new SqliteStore(path);
  try {
    const { consistent, issues } = await store.checkConsistency({ level: 'full' });
    for (const { detail } of issues) expect(detail).not.toMatch(/undefined|\[object/);
    return consistent ? 'consistent' : 'found';
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(KodeError);
    if (error instanceof CorruptDataError) return 'corrupt';
    // A header that says of the file what it isn't: a newer format, a schema of another version.
    return 'found';
  } finally {
    await store.close();
  }
}

describe('H1 the full check of a damaged file', () => {
  it('finds nothing in a sound one', async () => {
    expect(await check('as-it-was', sound)).toBe('consistent');
  });

  it('finds every page that is overwritten', { timeout: 60_000 }, async () => {
    const next = numbers(7);
    const missed: number[] = [];
    for (let page = 0; page < sound.length / pageSize; page += 1) {
      const bytes = Buffer.from(sound);
      for (let i = 0; i < pageSize; i += 1) bytes[page * pageSize + i] = next(256);
      if ((await check(`page-${page}`, bytes)) === 'consistent') missed.push(page);
    }
    expect(missed).toEqual([]);
  });

  it('finds that the file is cut off', { timeout: 60_000 }, async () => {
    const next = numbers(11);
    for (let n = 0; n < 12; n += 1) {
      const length = 1 + next(sound.length - 1);
      expect(await check(`cut-${n}`, sound.subarray(0, length)), `${length} bytes`).not.toBe('consistent');
    }
  });

  it('never fails with a raw error, whatever is flipped', { timeout: 60_000 }, async () => {
    const next = numbers(13);
    for (let n = 0; n < 60; n += 1) {
      const bytes = Buffer.from(sound);
      for (let k = 0; k < 8; k += 1) {
        const at = next(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
      }
      await check(`flipped-${n}`, bytes);
    }
  });
});
