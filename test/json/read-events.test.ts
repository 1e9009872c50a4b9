import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { CorruptDataError } from '../../src/errors.ts';
import { collect, progress, user } from '../../src/testing/samples.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();
const restore: (() => void)[] = [];

afterEach(() => {
  for (const undo of restore.splice(0)) undo();
});

/** Counts what is read from files. */
async function countReads(folder: string): Promise<{ reads: number }> {
  const handle = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'read'>;
  await handle.close();
  const read = prototype.read as (...given: unknown[]) => Promise<unknown>;
  restore.push(() => {
    prototype.read = read as FileHandle['read'];
  });
  const counted = { reads: 0 };
  prototype.read = function (this: FileHandle, ...given: unknown[]) {
    counted.reads += 1;
    return read.apply(this, given);
  } as FileHandle['read'];
  return counted;
}

describe('events that were awaited one at a time', () => {
  it('are read back by pieces of the file, not one at a time, in both directions', async () => {
    const { outside, open: openStore } = await workspace();
    const store = openStore({ durability: 'normal' });
    await store.saveInfo('a', {});
    const count = 2_000;
    for (let n = 1; n <= count; n += 1) {
      await store.appendEvent('a', progress(`${n} ${'.'.repeat(100)}`));
      // Lines of others lie between, now and then more of them than is worth reading.
      if (n % 100 === 0) await store.appendMessages('a', [user('x'.repeat(n % 500 === 0 ? 40_000 : 10))]);
    }
    const counted = await countReads(outside);
    const all = await collect(store.readEvents('a'));
    expect(all.map(({ cursor }) => cursor)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    expect(all.every(({ event }, n) => JSON.stringify(event).includes(`"${n + 1} ..`))).toBe(true);
    expect(counted.reads, 'about 500 KB by pieces of 256, and 3 gaps').toBeLessThanOrEqual(8);
    counted.reads = 0;
    expect(await collect(store.readEvents('a', { order: 'desc' }))).toEqual(all.toReversed());
    expect(counted.reads).toBeLessThanOrEqual(8);
    counted.reads = 0;
    expect(await collect(store.readEvents('a', { since: count - 1 }))).toEqual(all.slice(-1));
    expect(counted.reads).toBe(1);
  });

  it('J1 of which one is damaged are an error when its page is read, not an answer', async () => {
    const { logOf, open: openStore } = await workspace();
    const store = openStore();
    await store.saveInfo('a', {});
    for (let n = 0; n < 10; n += 1) await store.appendEvent('a', progress(`event ${n}`));
    const path = await logOf('a');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('event 5', 'event 6'));
    await expect(collect(store.readEvents('a'))).rejects.toThrow(CorruptDataError);
    expect(await collect(store.readEvents('a', { since: 6 }))).toHaveLength(4);
    await writeFile(path, text.slice(0, -30));
    await expect(collect(store.readEvents('a', { since: 8 }))).rejects.toThrow(CorruptDataError);
    await writeFile(path, text);
  });
});
