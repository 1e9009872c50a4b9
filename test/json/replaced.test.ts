import { copyFile, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import type { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { createAgent, user } from '../../src/testing/samples.ts';
import { type Workspace, workspaces } from './helpers.ts';

/** Long enough for a pause. */
const PAUSE_MS = 1_000;

const workspace = workspaces();
let space: Workspace;
let clock: MovableClock;
let store: JSONStore;
let log: string;
let older: Buffer;

beforeEach(async () => {
  space = await workspace();
  clock = new MovableClock();
  store = space.open(withClock(clock));
  await createAgent(store, 'a', [user('old')]);
  log = await space.logOf('a');
  older = await readFile(log);
  await store.appendMessages('a', [user('new')]);
});

const replace = async (bytes: Buffer) => {
  await writeFile(`${log}.new`, bytes);
  await rename(`${log}.new`, log);
};

// Windows removes no file that is open.
describe.runIf(process.platform !== 'win32')('a log', () => {
  it.each([
    ['removed', /was removed/, () => rm(log)],
    ['removed with its folder', /was removed/, () => rm(dirname(log), { recursive: true })],
    ['moved away', /was removed/, () => rename(dirname(log), `${dirname(log)}.old`)],
    ['replaced by a copy', /was replaced/, async () => replace(await readFile(log))],
    ['replaced by an older one', /was replaced/, () => replace(older)],
    ['overwritten with an older one', /was cut short/, () => writeFile(log, older)],
    ['cut short', /was cut short/, () => truncate(log, older.length)],
  ])('S7 that is %s under an open store takes no commit', async (_what, message, act) => {
    await act();
    await clock.advance(PAUSE_MS);
    // Of several that are written together none goes on from what is there by then.
    const calls = [1, 2].map((n) => store.appendMessages('a', [user(`lost ${n}`)]));
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome.status).toBe('rejected');
      const { reason } = outcome as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(StoreUnavailableError);
      expect(reason.message).toMatch(message);
      expect(reason.message).toMatch(/nothing of this was stored/);
    }
  });

  it('S7 that was replaced is read as it is now, and written to again', async () => {
    await replace(older);
    await clock.advance(PAUSE_MS);
    await expect(store.appendMessages('a', [user('lost')])).rejects.toThrow(/was replaced/);
    expect(await store.loadMessages('a')).toEqual([user('old')]);
    await store.appendMessages('a', [user('after')]);
    expect(await (await space.reopen()).loadMessages('a')).toEqual([user('old'), user('after')]);
  });

  it('S7 that came back before the next write was never missed', async () => {
    await copyFile(log, `${log}.copy`);
    await rename(log, `${log}.away`);
    await rename(`${log}.away`, log);
    await clock.advance(PAUSE_MS);
    await store.appendMessages('a', [user('more')]);
    expect(await (await space.reopen()).loadMessages('a')).toHaveLength(3);
  });
});
