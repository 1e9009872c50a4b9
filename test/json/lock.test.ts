import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreBusyError } from '../../src/errors.ts';
import { Disk } from '../../src/json/disk.ts';
import { judge, thisProcess } from '../../src/json/holder.ts';
import { BEAT_MS, StoreLock } from '../../src/json/lock.ts';
import { DEAD_MS } from '../../src/json/lock-end.ts';
import { thisPlace } from '../../src/json/place.ts';
import { ownStart } from '../../src/json/processes.ts';
import { JSONStore } from '../../src/json/store.ts';
import { systemClock, withClock } from '../../src/model/clock.ts';
import { modesOf } from '../../src/store/modes.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { user } from '../../src/testing/samples.ts';
import { bundle } from '../support/bundle.ts';
import { type Child, startChild } from './child.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();
const children: { kill(): Promise<void> }[] = [];
const locks: StoreLock[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  for (const lock of locks.splice(0)) await lock.release();
});

const disk = new Disk(modesOf());
/** Nothing is known there of the processes here. */
const elsewhere = { ...thisPlace(), name: 'another container' };

async function openInChild(root: string, agentId: string): Promise<Child> {
  const child = await startChild(new URL('./open-in-child.ts', import.meta.url), [root, agentId]);
  children.push(child);
  return child;
}

async function acquire(root: string, clock = new MovableClock(), place = thisPlace()): Promise<StoreLock> {
  const lock = await StoreLock.acquire(root, { disk, clock, place });
  locks.push(lock);
  return lock;
}

/** A folder whose lock was left by a process that is not there. */
async function leftBehind(holder: object | string): Promise<string> {
  const { root } = await workspace();
  await mkdir(root);
  await writeFile(join(root, 'lock.7'), typeof holder === 'string' ? holder : JSON.stringify(holder));
  return root;
}

describe('a folder that is in use', () => {
  it('by another process is refused with what to do, until that process closes it', async () => {
    const { root, open } = await workspace();
    const child = await openInChild(root, 'of the child');
    expect(child.first).toEqual({ opened: true });
    const store = open();
    const refusal = await store.list().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreBusyError);
    expect(String(refusal)).toContain(root);
    expect(String(refusal)).toContain(`process ${child.process.pid}`);
    expect(String(refusal)).toMatch(/Close the store there.*SqliteStore.*remove ".*lock\.1"/);
    await expect(store.saveInfo('x', {})).rejects.toThrow(StoreBusyError);

    await child.end();
    expect(await store.list()).toEqual(['of the child']);
    const second = await openInChild(root, 'x');
    expect(second.first).toMatchObject({ opened: false, code: 'STORE_BUSY' });
  });

  it('by another store of this process is refused too', async () => {
    const { open, reopen } = await workspace();
    await open().saveInfo('a', {});
    await expect(open().list()).rejects.toThrow(StoreBusyError);
    expect(await (await reopen()).list()).toEqual(['a']);
  });

  it('J2 by a process that can’t be seen from here, and shows that it is alive, is refused', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const clock = new MovableClock();
    await acquire(root, clock, elsewhere);
    const refusal = acquire(root, clock).catch((error: unknown) => error);
    expect(await clock.advanceUntil(refusal, BEAT_MS / 4)).toBeInstanceOf(StoreBusyError);
  });
});

describe('a folder whose holder can’t be seen', () => {
  it('is waited for by an opening no longer than its signal says', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const lock = await acquire(root, new MovableClock(), elsewhere);
    const looks = new AbortController();
    const clock = new (class extends MovableClock {
      override after(ms: number, call: () => unknown) {
        looks.abort();
        return super.after(ms, call);
      }
    })();
    const store = new JSONStore(root, withClock(clock));
    const stop = new AbortController();
    const opening = store.open({ signal: stop.signal }).catch((error: unknown) => error);
    if (!looks.signal.aborted) await once(looks.signal, 'abort');
    stop.abort(new Error('enough'));
    expect(await opening).toBe(stop.signal.reason);
    await lock.release();
    expect(await store.list()).toEqual([]);
    await store.close();
  });
});

describe('a lock that was left behind', () => {
  const gone = { pid: 2 ** 22 + 1, host: thisPlace().name, started: '', since: 'then', id: 'x' };

  it('by a process that was killed is taken over, with everything it stored', async () => {
    const { root, open } = await workspace();
    const child = await openInChild(root, 'of the child');
    await child.kill();
    expect(await open().list()).toEqual(['of the child']);
  });

  it.runIf(process.platform === 'linux')('by a process whose number is another one’s now', async () => {
    const root = await leftBehind({ ...gone, pid: process.ppid, started: '1' });
    expect((await acquire(root)).generation).toBe(8);
  });

  it.each([
    ['J2 by a process that can’t be seen from here', { ...gone, host: elsewhere.name }],
    ['empty, by one that crashed as it opened', ''],
  ])('%s is taken over when it stood still for long enough, and not before', async (_, holder) => {
    const root = await leftBehind(holder);
    const clock = new MovableClock();
    let taken: StoreLock | undefined;
    const waiting = acquire(root, clock).then((lock) => {
      taken = lock;
    });
    const started = clock.monotonic();
    await clock.advanceUntil(Promise.race([waiting, later(clock, DEAD_MS - 1_000)]), 250);
    expect(taken).toBeUndefined();
    await clock.advanceUntil(waiting, 250);
    expect(clock.monotonic() - started).toBeGreaterThanOrEqual(DEAD_MS);
    expect(taken).toMatchObject({ generation: 8, fence: expect.any(String) });
  });

  it('goes to one of many that find it at the same moment', async () => {
    const root = await leftBehind(gone);
    for (let round = 1; round <= 20; round += 1) {
      await writeFile(join(root, `lock.${round * 100}`), JSON.stringify(gone));
      const options = { disk, clock: systemClock };
      const taken = await Promise.allSettled(
        Array.from({ length: 8 }, () => StoreLock.acquire(root, options)),
      );
      const held = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(held).toHaveLength(1);
      for (const one of taken)
        if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(StoreBusyError);
      expect(held[0]?.generation).toBeGreaterThan(round * 100);
      await held[0]?.release();
    }
  });
});

describe('a lock of 3.0.0-alpha.1', () => {
  const alpha = { pid: process.pid, host: hostname(), started: ownStart(), since: 'then' };
  const first = { ...thisPlace(), whole: true };
  const container = { ...thisPlace(), whole: false };

  it('V1 whose process is there is refused, by a new store as well', async () => {
    const { root, open } = await workspace();
    await mkdir(root);
    await writeFile(join(root, 'lock.7'), JSON.stringify(alpha));
    await expect(open().list()).rejects.toThrow(new RegExp(`process ${process.pid}.*remove ".*lock\\.7"`));
  });

  it('J2 tells nothing of a process in another container, and is given up by hand', async () => {
    const root = await leftBehind({ ...alpha, host: 'another host' });
    await expect(acquire(root)).rejects.toThrow(/earlier version.*remove ".*lock\.7"/);
    await rm(join(root, 'lock.7'));
    expect((await acquire(root)).generation).toBe(1);
  });

  it.runIf(process.platform === 'linux')('J2 counts for one from here only if it can be', () => {
    expect(judge(alpha, container)).toBe('alive');
    const before = { ...alpha, pid: 2 ** 22, started: '1' };
    expect(judge(before, first)).toBe('gone');
    expect(judge(before, container)).toBe('silent');
    expect(judge({ ...alpha, pid: 2 ** 22 + 1 }, container), 'a number that was never given out').toBe(
      'silent',
    );
  });

  it('J2 is never taken for one of ours by that version: it compares the host', () => {
    expect(thisProcess(0).host === hostname()).toBe(process.platform !== 'linux');
  });
});

describe('a holder that stood still', () => {
  it('J2 keeps the lock when nobody asked for it, and moves on to the next number', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const clock = new MovableClock();
    const lock = await acquire(root, clock);
    for (const ms of [4_000, 4_000, 60_000, 60_000]) {
      await clock.pause(ms);
      await lock.check();
    }
    expect(await readdir(root)).toEqual(['lock.3']);
    expect(lock.lost.aborted).toBe(false);
  });

  it('J2 has lost it to whoever took it meanwhile, and does nothing more', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const clocks = [new MovableClock(), new MovableClock()] as const;
    const lock = await acquire(root, clocks[0], elsewhere);
    await clocks[0].pause(20_000);
    const other = await clocks[1].advanceUntil(acquire(root, clocks[1]), 500);
    for (const call of [lock.check(), lock.check(), clocks[0].advance(0).then(() => lock.check())]) {
      await expect(call).rejects.toThrow(StoreBusyError);
    }
    await expect(lock.confirm()).rejects.toThrow(/isn't known whether/);
    expect(lock.lost.aborted).toBe(true);
    await lock.release();
    await other.check();
    const left = await readdir(root);
    expect(left).toHaveLength(1);
    expect(left).not.toEqual(['lock.1']);
  });

  it('J2 has lost it also where its machine slept, and its monotonic clock with it', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const clocks = [new MovableClock(), new MovableClock()] as const;
    const lock = await acquire(root, clocks[0], elsewhere);
    await clocks[0].suspend(20_000);
    const other = await clocks[1].advanceUntil(acquire(root, clocks[1]), 500);
    lock.look();
    expect(lock.lost.aborted, 'before any timer of it runs').toBe(true);
    await expect(lock.check()).rejects.toThrow(StoreBusyError);
    await other.check();
  });

  it('J2 and one that concluded that it is gone never both have it, whoever comes first', async () => {
    const { root } = await workspace();
    await mkdir(root);
    for (let round = 0; round < 15; round += 1) {
      const clocks = [new MovableClock(), new MovableClock()] as const;
      const lock = await acquire(root, clocks[0], elsewhere);
      await clocks[0].pause(20_000);
      const waiting = acquire(root, clocks[1]);
      const ends = (ms: number) => Promise.race([waiting.then(() => true), later(clocks[1], ms)]);
      // Up to the moment when it is sure.
      await clocks[1].advanceUntil(ends(DEAD_MS - round * 50), 500);
      const [kept, taken] = await Promise.all([
        lock.check().then(
          () => true,
          () => false,
        ),
        clocks[1].advanceUntil(ends(3_000), 500),
      ]);
      expect([kept, taken]).not.toEqual([true, true]);
      await lock.release();
      const other = await clocks[1].advanceUntil(waiting, 500);
      await other.check();
      await other.release();
    }
  });

  it('J2 knows before anything else that its leases are another’s to give out', async () => {
    const { root } = await workspace();
    const clocks = [new MovableClock(), new MovableClock()] as const;
    await using store = new JSONStore(root, withClock(clocks[0]));
    await store.saveInfo('a', {});
    const lease = await store.acquireAgentLock('a', { ttlMs: 3_600_000 });
    await clocks[0].pause(20_000);
    expect(lease.signal.aborted, 'nobody took it').toBe(false);
    await clocks[1].advanceUntil(acquire(root, clocks[1], elsewhere), 500);
    expect(lease.signal.aborted).toBe(true);
  });

  it('J2 notices that its lock was removed by hand, and opens the folder anew', async () => {
    const { root } = await workspace();
    const clock = new MovableClock();
    await using store = new JSONStore(root, withClock(clock));
    await store.saveInfo('a', {});
    const lease = await store.acquireAgentLock('a', { ttlMs: 3_600_000 });
    await rm(join(root, 'lock.1'));
    await writeFile(join(root, 'lock.1'), JSON.stringify({ ...thisProcess(0), pid: 2 ** 22 + 1 }));
    await clock.pause(6_000);
    await expect(store.saveInfo('b', {}), 'nothing is stored').rejects.toThrow(StoreBusyError);
    expect(lease.signal.aborted).toBe(true);
    expect(await store.list()).toEqual(['a']);
    await expect(store.commit('a', { messages: [], lease })).rejects.toThrow(/lease/);
    await store.saveInfo('b', {});
  });

  it('shows itself by its file’s time, and by nothing else', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const clock = new MovableClock();
    await acquire(root, clock);
    const times = new Set<number>();
    const text = await readFile(join(root, 'lock.1'), 'utf8');
    for (let n = 0; n < 3; n += 1) {
      const before = (await stat(join(root, 'lock.1'))).mtimeMs;
      const now = async () => {
        await clock.advance(BEAT_MS);
        return (await stat(join(root, 'lock.1'))).mtimeMs;
      };
      await expect.poll(now).not.toBe(before);
      times.add((await stat(join(root, 'lock.1'))).mtimeMs);
    }
    expect(times.size).toBe(3);
    expect(await readFile(join(root, 'lock.1'), 'utf8')).toBe(text);
  });
});

const canUnshare = spawnSync('unshare', ['-p', '-f', 'true']).status === 0;

describe.runIf(canUnshare)('two containers with one hostname', () => {
  /** A process in a PID namespace of its own. */
  async function contained(root: string) {
    const script = await bundle(new URL('./namespace.child.ts', import.meta.url));
    const args = ['-p', '-f', '--kill-child', process.execPath, script, root];
    const child = spawn('unshare', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ended = once(child, 'exit');
    children.push({
      async kill() {
        child.kill('SIGKILL');
        await ended;
      },
    });
    await once(child, 'message');
    let asked = 0;
    return (command: string): Promise<Answer> => {
      asked += 1;
      const id = asked;
      child.send({ id, command });
      return new Promise((resolve) => {
        const listen = (answer: Answer) => {
          if (answer.id !== id) return;
          child.off('message', listen);
          resolve(answer);
        };
        child.on('message', listen);
      });
    };
  }

  it('J2 never both write: the one that stood still finds that it lost the folder', async () => {
    const { root } = await workspace();
    const [first, second] = [await contained(root), await contained(root)];
    // Both have the same number in their containers, and neither can see the other.
    const { result: number } = await first('open');
    expect((await first('write one')).result).toBe(number);
    let refused: Answer | undefined;
    void second('open').then((answer) => {
      refused = answer;
    });
    while (!refused) {
      await first(`advance ${BEAT_MS}`);
      await second('advance 500');
    }
    expect(refused).toMatchObject({ code: 'STORE_BUSY' });
    expect(refused.message).toContain(`process ${number} on host "${hostname()}"`);

    await first('pause 20000');
    let opened: Answer | undefined;
    void second('open').then((answer) => {
      opened = answer;
    });
    while (!opened) await second('advance 500');
    expect(opened).toMatchObject({ result: number });
    await second('write two');
    expect(await first('write three')).toMatchObject({ code: 'STORE_BUSY', aborted: true });
    expect((await second('read')).result).toEqual([user('one'), user('two')]);
    await second('close');
  });
});

interface Answer {
  id: number;
  result?: unknown;
  code?: string;
  message?: string;
  aborted?: boolean;
}

function later(clock: MovableClock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
