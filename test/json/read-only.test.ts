import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { StoreConfigError, StoreReadOnlyError } from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import { collect, conversation, progress, user } from '../../src/testing/samples.ts';
import { filesIn, workspaces } from './helpers.ts';

const workspace = workspaces();
const _fixture = fileURLToPath(new URL('../fixtures/alpha1/json', import.meta.url));

/** Every file with its bytes. */
async function contents(root: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const name of (await filesIn(root)).keys()) all.set(name, await readFile(join(root, name), 'latin1'));
  return all;
}

describe('a store that is opened to be read', () => {
  it('J3 reads everything, and changes no file', async () => {
    const { root, open, reopen } = await workspace();
    const store = open();
    await store.commit('a', {
      info: {},
      messages: conversation(3),
      events: [progress('x')],
      expectedVersion: 0,
    });
    await store.fork('a', { agentId: 'b' });
    await store.saveDocument('a', { kind: 'compression', name: 'x', content: 1 });
    await (await reopen()).close();
    const before = await contents(root);
    await using archive = new JSONStore(root, { readOnly: true });
    expect(await archive.list()).toEqual(['a', 'b']);
    expect(await archive.loadMessages('b')).toEqual(conversation(3));
    expect(await collect(archive.readEvents('a'))).toHaveLength(1);
    expect((await archive.loadDocument('a', 'compression', 'x'))?.content).toBe(1);
    await archive.close();
    expect(await contents(root)).toEqual(before);
  });

  it('J3 refuses by name whatever would write', async () => {
    const { root, open, reopen } = await workspace();
    await open().saveInfo('a', {});
    await (await reopen()).close();
    await using archive = new JSONStore(root, { readOnly: true });
    for (const call of [
      archive.saveInfo('a', {}),
      archive.saveInfo('new', {}),
      archive.commit('a', { messages: [user('x')] }),
      archive.appendEvent('a', progress('x')),
      archive.saveDelta('a', { text: 'x' }),
      archive.saveSnapshot('a', { id: 's' }),
      archive.saveDocument('a', { kind: 'compression', name: 'x', content: 1 }),
      archive.deleteDocument('a', 'compression', 'x'),
      archive.fork('a'),
      archive.delete('a'),
      archive.acquireAgentLock('a'),
      archive.decideApproval('a', 'x', { decision: 'allow' }),
    ]) {
      await expect(call).rejects.toThrow(StoreReadOnlyError);
    }
    expect(await archive.loadMessages('a')).toEqual([]);
  });

  it('J3 sees what another store writes meanwhile, rewrites included', async () => {
    const { root, open } = await workspace();
    const store = open();
    await store.saveInfo('a', {});
    await using reader = new JSONStore(root, { readOnly: true });
    for (let n = 1; n <= 5; n += 1) {
      await store.saveMessages('a', [user(`${n} ${'.'.repeat(20_000)}`), user('on')]);
      await store.saveDocument('a', { kind: 'compression', name: 'x', content: n });
      expect((await reader.loadMessages('a')).length).toBe(2);
      expect((await reader.loadInfo('a'))?.version).toBe(1 + 2 * n);
      expect((await reader.loadDocument('a', 'compression', 'x'))?.content).toBe(n);
    }
    await store.delete('a');
    expect(await reader.exists('a')).toBe(false);
    expect(await reader.loadInfo('a')).toBeUndefined();
  });

  it('J3 must be there', async () => {
    const { root, outside } = await workspace();
    for (const path of [root, outside]) {
      await expect(new JSONStore(path, { readOnly: true }).list()).rejects.toThrow(StoreConfigError);
    }
    expect(() => new JSONStore(root, { readOnly: 1 as unknown as boolean })).toThrow(/readOnly/);
  });
});

describe('a folder of KODE SDK 2.7', () => {
  const files: Record<string, string[]> = {
    'an agent': ['agt-1/meta.json'],
    'an agent whose meta.json is lost': ['agt-1/runtime/messages.json'],
    'a fork whose parent is gone': ['agt-1/fork-1760000000000/runtime/tool-calls.json'],
    'a pool': ['__pool_meta__/pool.json'],
  };

  it.each(Object.entries(files))('H3 with %s is refused, and nothing is made in it', async (_, names) => {
    const { root } = await workspace();
    for (const name of names) {
      await mkdir(join(root, name, '..'), { recursive: true });
      await writeFile(join(root, name), '{}');
    }
    await writeFile(join(root, '.DS_Store'), 'x');
    const before = await contents(root);
    for (const readOnly of [false, true]) {
      const refusal = await new JSONStore(root, { readOnly }).list().catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StoreConfigError);
      expect(String(refusal)).toMatch(/KODE SDK 2\.7.*another folder.*kode migrate.*a later version/);
    }
    expect(await contents(root)).toEqual(before);
    await rm(root, { recursive: true });
  });

  it('H3 is not every folder that has something in it', async () => {
    const { root, open } = await workspace();
    await mkdir(join(root, 'photos', 'runtime'), { recursive: true });
    await writeFile(join(root, 'photos', 'a.json'), '{}');
    await open().saveInfo('meta.json', {});
    expect(await open({ readOnly: true }).list()).toEqual(['meta.json']);
  });
});
