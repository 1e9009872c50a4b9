import { type FileHandle, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreBusyError, StoreUnavailableError } from '../../src/errors.ts';
import { Disk } from '../../src/json/disk.ts';
import { frame } from '../../src/json/lines.ts';
import { StoreLock } from '../../src/json/lock.ts';
import { LogFile } from '../../src/json/log-file.ts';
import { OpenFiles } from '../../src/json/open-files.ts';
import { thisPlace } from '../../src/json/place.ts';
import { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { modesOf } from '../../src/store/modes.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { user } from '../../src/testing/samples.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();
const restore: (() => void)[] = [];

afterEach(() => {
  for (const undo of restore.splice(0)) undo();
});

/** Nothing is known there of the processes here. */
const elsewhere = { ...thisPlace(), name: 'another container' };

/** Takes the folder from a holder that can't be seen and stood still. */
async function takeOver(root: string): Promise<StoreLock> {
  const clock = new MovableClock();
  const options = { disk: new Disk(modesOf()), clock, place: elsewhere };
  return clock.advanceUntil(StoreLock.acquire(root, options), 500);
}

/** Runs something in the midst of the next write to a file: before anything is written. */
async function inNextWrite(folder: string, work: () => Promise<void>): Promise<void> {
  const handle = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'write'>;
  await handle.close();
  const write = prototype.write as (...given: unknown[]) => Promise<unknown>;
  const undo = () => {
    prototype.write = write as FileHandle['write'];
  };
  restore.push(undo);
  prototype.write = async function (this: FileHandle, ...given: unknown[]) {
    undo();
    await work();
    return write.apply(this, given);
  } as FileHandle['write'];
}

describe('a holder that stood still in the midst of a write', () => {
  it.each([1, 3])(
    'J2 harms nothing of those after it, though %s of them gave the folder back',
    async (openings) => {
      const { root, outside } = await workspace();
      const clock = new MovableClock();
      await using paused = new JSONStore(root, withClock(clock));
      await paused.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
      await paused.appendMessages('a', [user('two')]);
      await inNextWrite(outside, async () => {
        await clock.pause(20_000);
        // It writes nothing, and none of those that follow know of more than that it gave the folder back.
        await (await takeOver(root)).release();
        for (let n = 0; n < openings; n += 1) {
          await using next = new JSONStore(root);
          await next.appendMessages('a', [user(`by another ${n}`), user('with more text')]);
        }
      });
      const late = await paused.appendMessages('a', [user('late')]).catch((error: unknown) => error);
      expect(late).toBeInstanceOf(StoreUnavailableError);
      expect(late).toMatchObject({ outcome: 'unknown' });
      await using last = new JSONStore(root);
      const others = Array.from({ length: openings }, (_, n) => [
        user(`by another ${n}`),
        user('with more text'),
      ]);
      expect(await last.loadMessages('a')).toEqual([user('one'), user('two'), ...others.flat()]);
    },
  );

  it('J2 costs each log one copy, however often the folder is opened after that', async () => {
    const { root, logOf } = await workspace();
    {
      await using store = new JSONStore(root);
      await store.saveInfo('a', {});
    }
    const left = new MovableClock();
    await StoreLock.acquire(root, { disk: new Disk(modesOf()), clock: left, place: elsewhere });
    await left.pause(20_000);
    const clock = new MovableClock();
    const taken = await clock.advanceUntil(
      StoreLock.acquire(root, { disk: new Disk(modesOf()), clock }),
      500,
    );
    await taken.release();
    const inodes = new Set<number>();
    inodes.add((await stat(await logOf('a'))).ino);
    for (let n = 0; n < 4; n += 1) {
      await using store = new JSONStore(root);
      await store.appendMessages('a', [user('x')]);
      await store.saveInfo('b', {});
      inodes.add((await stat(await logOf('a'))).ino);
    }
    expect(inodes.size).toBe(2);
    const names = await readdir(dirname(await logOf('a')));
    expect(names.filter((name) => name.startsWith('fence-'))).toHaveLength(1);
    expect((await readFile(await logOf('a'), 'utf8')).split('\n')).toHaveLength(7);
  });

  it('J2 writes nothing to a file that it opened after it lost the folder', async () => {
    const { root } = await workspace();
    const clock = new MovableClock();
    await using store = new JSONStore(root);
    await store.list();
    await store.close();
    const lock = await StoreLock.acquire(root, { disk: new Disk(modesOf()), clock });
    const path = join(root, 'log-of-an-agent');
    const { bytes, sum } = frame('[]');
    await writeFile(path, bytes);
    let pauses = 1;
    class SlowFiles extends OpenFiles {
      override async open(...given: Parameters<OpenFiles['open']>): Promise<FileHandle> {
        if (given[0] === path && pauses-- > 0) {
          await clock.pause(20_000);
          await takeOver(root);
        }
        return super.open(...given);
      }
    }
    const disk = new Disk(modesOf(), { guard: lock, files: new SlowFiles() });
    const log = new LogFile(
      path,
      { format: 2, end: bytes.length, sum, torn: false },
      { disk, clock, durability: 'full', flags: 'r+', identity: (await disk.placeOf(path))?.identity },
    );
    await expect(log.append(['{"late":1}'])).rejects.toThrow(StoreBusyError);
    await log.close();
    expect(await readFile(path)).toEqual(bytes);
  });
});
