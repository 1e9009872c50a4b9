import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CorruptDataError,
  SchemaVersionError,
  StoreConfigError,
  StoreUnavailableError,
} from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import { collect, conversation, progress, user } from '../../src/testing/samples.ts';
import { filesIn, leftIn, workspaces } from './helpers.ts';

const workspace = workspaces();

describe("the store's folder", () => {
  it('is made by the first call, with the folders above it, and nothing beside it is touched', async () => {
    const { outside } = await workspace();
    const store = new JSONStore(join(outside, 'not', 'there', 'yet'));
    expect(await readdir(outside)).toEqual([]);
    await store.commit('../x'.replace('/', '-'), { info: {}, messages: conversation(2), expectedVersion: 0 });
    await store.saveDocument('..-x', { kind: 'recovered-file', name: '../../../x', content: 1 });
    await store.saveSnapshot('..-x', { id: '...' });
    await store.close();
    const names = [...(await filesIn(outside)).keys()];
    expect(names.every((name) => name.startsWith('not/there/yet/'))).toBe(true);
  });

  it('holds text that any JSON tool can read', async () => {
    const space = await workspace();
    await space.open().commit('a', {
      info: {},
      messages: [user('hello')],
      events: [progress('x')],
      expectedVersion: 0,
    });
    const log = await readFile(await space.logOf('a'), 'utf8');
    const [header, first] = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)[2]);
    expect(header).toMatchObject({ format: 2, agentId: 'a' });
    expect(first).toMatchObject([
      { n: 1, version: 1, messages: [{ message: user('hello') }], events: [progress('x')] },
    ]);
  });

  it('can be copied when the store is closed, and opened elsewhere', async () => {
    const { root, outside, open } = await workspace();
    const store = open();
    await store.commit('a', { info: {}, messages: conversation(3), expectedVersion: 0 });
    await store.fork('a', { agentId: 'b' });
    await store.delete('a');
    await store.close();
    const copy = join(outside, 'copy');
    await cp(root, copy, { recursive: true });
    await rm(root, { recursive: true });
    await using again = new JSONStore(copy);
    expect(await again.loadMessages('b')).toEqual(conversation(3));
  });

  it.each(['', '  ', undefined, 7])('is a path, not %j', (path) => {
    expect(() => new JSONStore(path as string)).toThrow(StoreConfigError);
  });

  it('is no file, and lies below none', async () => {
    const { outside } = await workspace();
    await writeFile(join(outside, 'file'), 'x');
    for (const path of [join(outside, 'file'), join(outside, 'file', 'below')]) {
      await expect(new JSONStore(path).list()).rejects.toThrow(StoreConfigError);
    }
  });

  it('that vanishes under an open store is an error that names it', async () => {
    const { root, open } = await workspace();
    const store = open();
    await store.saveInfo('a', {});
    await rename(root, `${root}-moved`);
    const refusal = await store.list().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailableError);
    expect(String(refusal)).toContain(root);
    await expect(store.saveInfo('b', {})).rejects.toThrow(StoreUnavailableError);
    await store.close();
  });
});

describe('the format', () => {
  it('of a newer version is refused as such', async () => {
    const { root, reopen } = await workspace();
    await (await reopen()).list();
    const store = await reopen();
    await writeFile(join(root, 'store.json'), '{"store":"kode","format":4}');
    await expect(store.list()).rejects.toThrow(SchemaVersionError);
  });

  it('that is missing or unreadable is no empty store', async () => {
    const { root, reopen } = await workspace();
    await (await reopen()).saveInfo('a', {});
    for (const text of ['', '{}', 'null', '{"store":"other","format":1}', undefined]) {
      const store = await reopen();
      if (text === undefined) await rm(join(root, 'store.json'));
      else await writeFile(join(root, 'store.json'), text);
      await expect(store.list()).rejects.toThrow(CorruptDataError);
    }
  });
});

describe('what a crash leaves behind', () => {
  it('half done is gone after the next opening', async () => {
    const space = await workspace();
    const { root, open, reopen } = space;
    const store = open();
    await store.saveInfo('a', {});
    await store.saveDocument('a', { kind: 'compression', name: 'x', content: 1 });
    const documents = join(dirname(await space.logOf('a')), 'documents');
    await store.close();
    await writeFile(join(documents, '99.json'), 'half');
    await mkdir(join(root, 'temporary', 'k'));
    await mkdir(join(root, 'trash', 'k'));
    await writeFile(join(root, 'trash', 'k', 'log'), 'x');
    const again = await reopen();
    expect(await again.list()).toEqual(['a']);
    expect((await again.loadDocument('a', 'compression', 'x'))?.content).toBe(1);
    expect(await leftIn(root, ['temporary', 'trash'])).toEqual([]);
    expect(await readdir(documents), 'reading removes nothing').toHaveLength(2);
    await again.saveInfo('a', {});
    expect(await readdir(documents)).toHaveLength(1);
  });
});

describe('durability "normal"', () => {
  it('stores the same', async () => {
    const { open, reopen } = await workspace();
    const store = open({ durability: 'normal' });
    await store.commit('a', {
      info: {},
      messages: conversation(3),
      events: [progress('x')],
      expectedVersion: 0,
    });
    await store.fork('a', { agentId: 'b', at: 1 });
    const again = await reopen();
    expect(await again.loadMessages('a')).toEqual(conversation(3));
    expect(await again.loadMessages('b')).toEqual(conversation(1));
    expect(await collect(again.readEvents('a'))).toHaveLength(1);
  });

  it('and "full" are the only ones', () => {
    expect(() => new JSONStore('x', { durability: 'high' as 'full' })).toThrow(StoreConfigError);
  });
});

describe('many agents', () => {
  it('more than are kept in memory are all there', async () => {
    const { open, reopen } = await workspace();
    const store = open({ durability: 'normal' });
    const ids = Array.from({ length: 300 }, (_, n) => `agent ${n}`);
    for (const id of ids) await store.commit(id, { info: {}, messages: [user(id)], expectedVersion: 0 });
    await Promise.all(ids.map((id) => store.appendMessages(id, [user('more')])));
    for (const id of ids) expect(await store.loadMessages(id)).toEqual([user(id), user('more')]);
    expect(await (await reopen()).list()).toHaveLength(300);
  });
});
