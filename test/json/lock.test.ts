import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreBusyError } from '../../src/errors.ts';
import { StoreLock } from '../../src/json/lock.ts';
import { type Child, startChild } from './child.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();
const children: Child[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
});

async function openInChild(root: string, agentId: string): Promise<Child> {
  const child = await startChild(new URL('./open-in-child.ts', import.meta.url), [root, agentId]);
  children.push(child);
  return child;
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

  it('by a process on another host is refused, alive or not', async () => {
    const { root, open, reopen } = await workspace();
    await open().saveInfo('a', {});
    await (await reopen()).close();
    const holder = { pid: 999_999, host: `not ${hostname()}`, started: '', since: 'then' };
    await writeFile(join(root, 'lock.77'), JSON.stringify(holder));
    await expect((await reopen()).list()).rejects.toThrow(/lock\.77/);
  });
});

describe('a lock that was left behind', () => {
  it('by a process that was killed is taken over, with everything it stored', async () => {
    const { root, open } = await workspace();
    const child = await openInChild(root, 'of the child');
    await child.kill();
    expect(await open().list()).toEqual(['of the child']);
  });

  it.runIf(process.platform === 'linux')('by a process whose number is another one’s now', async () => {
    const { root, open, reopen } = await workspace();
    await open().saveInfo('a', {});
    await (await reopen()).close();
    const [name = ''] = (await readdir(root)).filter((file) => file.startsWith('lock.'));
    const holder = { pid: process.ppid, host: hostname(), started: '1', since: 'then' };
    await writeFile(join(root, name.replace('.free', '')), JSON.stringify(holder));
    expect(await (await reopen()).list()).toEqual(['a']);
  });

  it('empty, by one that crashed as it opened, is taken over when it is old', async () => {
    const { root, open, reopen } = await workspace();
    await open().saveInfo('a', {});
    await (await reopen()).close();
    await writeFile(join(root, 'lock.9'), '');
    await expect((await reopen()).list()).rejects.toThrow(StoreBusyError);
    await utimes(join(root, 'lock.9'), 1, 1);
    expect(await (await reopen()).list()).toEqual(['a']);
  });

  it('goes to one of many that find it at the same moment', async () => {
    const { root, open, reopen } = await workspace();
    await open().saveInfo('a', {});
    await (await reopen()).close();
    for (let round = 1; round <= 20; round += 1) {
      const dead = { pid: 2 ** 22 + 1, host: hostname(), started: '', since: 'then' };
      await writeFile(join(root, `lock.${round * 100}`), JSON.stringify(dead));
      const taken = await Promise.allSettled(Array.from({ length: 8 }, () => StoreLock.acquire(root)));
      const locks = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(locks).toHaveLength(1);
      for (const one of taken)
        if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(StoreBusyError);
      expect(locks[0]?.generation).toBeGreaterThan(round * 100);
      await locks[0]?.release();
    }
  });
});

describe('openings', () => {
  it('are numbered, and leave one lock file', async () => {
    const { root, reopen } = await workspace();
    const tokens: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      const store = await reopen();
      await store.saveInfo('a', {});
      tokens.push((await store.acquireAgentLock('a')).token);
    }
    expect(tokens.toSorted((a, b) => a - b)).toEqual(tokens);
    expect(new Set(tokens).size).toBe(4);
    await (await reopen()).close();
    const locks = (await readdir(root)).filter((name) => name.startsWith('lock.'));
    expect(locks).toEqual(['lock.4.free']);
    expect(JSON.parse(await readFile(join(root, 'lock.4.free'), 'utf8'))).toMatchObject({ pid: process.pid });
  });

  it('at the same moment in several processes: one has the folder, and the others are told', async () => {
    const { root } = await workspace();
    const opening = await Promise.all(['a', 'b', 'c'].map((id) => openInChild(root, id)));
    const said = opening.map(({ first }) => first.opened);
    expect(said.filter(Boolean)).toHaveLength(1);
    for (const { first } of opening) if (!first.opened) expect(first.code).toBe('STORE_BUSY');
  });
});
