import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StoreConfigError } from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import { progress, user } from '../../src/testing/samples.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();

/** The modes of everything in a folder, and of the folder. */
async function modes(root: string): Promise<{ files: Set<string>; folders: Set<string> }> {
  const found = { files: new Set<string>(), folders: new Set<string>() };
  for (const name of ['', ...(await readdir(root, { recursive: true }))]) {
    const info = await stat(join(root, name));
    (info.isDirectory() ? found.folders : found.files).add((info.mode & 0o777).toString(8));
  }
  return found;
}

/** Everything that a store creates. */
async function work(store: JSONStore): Promise<void> {
  await store.commit('a', { info: {}, messages: [user('x'.repeat(30_000))], expectedVersion: 0 });
  await store.appendEvent('a', progress('x'));
  await store.saveDocument('a', { kind: 'compression', name: 'x', content: 1 });
  await store.saveDelta('a', { text: 'x' });
  await store.fork('a', { agentId: 'b' });
  await store.saveMessages('a', [user('rewritten')]);
  await store.fork('b', { agentId: 'c' });
  await store.delete('b');
}

describe.skipIf(process.platform === 'win32')('what a store creates', () => {
  it('S5 is its owner’s alone', async () => {
    const { root, open } = await workspace();
    await work(open());
    expect(await modes(root)).toEqual({ files: new Set(['600']), folders: new Set(['700']) });
  });

  it.each([
    [0o660, '660', '770'],
    [0o640, '640', '750'],
  ])('S5 has the mode that was asked for, whatever the umask: %o', async (fileMode, files, folders) => {
    const { root, open } = await workspace();
    const umask = process.umask(0o077);
    try {
      await work(open({ fileMode }));
    } finally {
      process.umask(umask);
    }
    expect(await modes(root)).toEqual({ files: new Set([files]), folders: new Set([folders]) });
    await rm(root, { recursive: true });
  });

  it.each([0o777, 0o060, 1.5, '0600', -1])('S5 has no mode like %s', (fileMode) => {
    expect(() => new JSONStore('x', { fileMode: fileMode as number })).toThrow(StoreConfigError);
  });
});
