import { cp, type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import { answers, asks, progress, user } from '../../src/testing/samples.ts';
import { filesIn, type Workspace, workspaces } from './helpers.ts';

// Node's own file handles are made to fail, and to count, as disks do.

const workspace = workspaces();
const restore: (() => void)[] = [];

afterEach(() => {
  for (const undo of restore.splice(0)) undo();
});

type Handles = Pick<FileHandle, 'write' | 'writeFile' | 'truncate' | 'sync' | 'datasync'>;

async function handles(space: Workspace): Promise<Handles> {
  const handle = await open(space.outside, 'r');
  const prototype = Object.getPrototypeOf(handle) as Handles;
  await handle.close();
  return prototype;
}

/** Puts something in the place of a method, until it is put back. */
function replace<K extends keyof Handles>(target: Handles, name: K, method: Handles[K]): () => void {
  const original = target[name];
  const undo = () => {
    target[name] = original;
  };
  target[name] = method;
  restore.push(undo);
  return undo;
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: no`), { code });
}

describe('a disk that is full in the midst of a write', () => {
  it('J3 refuses the commit, and nothing of it is there later', async () => {
    const space = await workspace();
    const store = space.open();
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    await store.appendMessages('a', [user('two')]);
    const before = await readFile(await space.logOf('a'));
    const target = await handles(space);
    const write = target.write as (...given: unknown[]) => Promise<unknown>;
    const undo = replace(target, 'write', async function (this: FileHandle, ...given: unknown[]) {
      const [bytes, , , position] = given as [Buffer, number, number, number];
      await write.call(this, bytes, 0, 20, position);
      throw failure('ENOSPC');
    } as FileHandle['write']);
    await expect(store.appendMessages('a', [user('refused')])).rejects.toThrow(/ENOSPC.*free some space/);
    expect(await readFile(await space.logOf('a'))).toEqual(before);
    expect(await store.loadMessages('a')).toEqual([user('one'), user('two')]);
    undo();
    await store.appendMessages('a', [user('three')]);
    expect(await store.loadMessages('a')).toEqual([user('one'), user('two'), user('three')]);
    expect(await (await space.reopen()).loadMessages('a')).toHaveLength(3);
  });

  it('J3 and takes nothing back either: what was refused is cut off before the next write', async () => {
    const space = await workspace();
    const store = space.open();
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    await store.appendMessages('a', [user('two')]);
    const target = await handles(space);
    // The whole line is there, and the disk won't say that it keeps it.
    const undone = (['datasync', 'truncate'] as const).map((name) =>
      replace(target, name, async () => {
        throw failure('EIO');
      }),
    );
    const unknown = await store.appendMessages('a', [user('refused')]).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(StoreUnavailableError);
    expect(unknown, 'it says that it may be stored').toMatchObject({ outcome: 'unknown' });
    expect(String(unknown)).toMatch(/EIO.*isn't known whether the change is stored/);
    expect(await readFile(await space.logOf('a'), 'utf8')).toContain('refused');
    expect(await store.loadMessages('a'), 'a read knows of it').toHaveLength(2);
    const again = await store.appendMessages('a', [user('again')]).catch((error: unknown) => error);
    expect(again, 'nothing of this one was written').toMatchObject({ outcome: 'none' });
    for (const undo of undone) undo();
    await store.loadMessages('a');
    expect(await readFile(await space.logOf('a'), 'utf8'), 'it went when it could').not.toContain('refused');
    await store.appendMessages('a', [user('three')]);
    expect(await readFile(await space.logOf('a'), 'utf8')).not.toContain('refused');
    expect(await (await space.reopen()).loadMessages('a')).toEqual([user('one'), user('two'), user('three')]);
  });

  it('J3 for one of many writes that were to be one takes the others, in the order in which they came', async () => {
    const space = await workspace();
    const store = space.open();
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    const target = await handles(space);
    const write = target.write as (...given: unknown[]) => Promise<unknown>;
    let late: Promise<unknown> | undefined;
    const undo = replace(target, 'write', async function (this: FileHandle, ...given: unknown[]) {
      late ??= store.appendMessages('a', [user('last')]);
      if (String(given[0]).includes('too much')) throw failure('ENOSPC');
      return write.apply(this, given);
    } as FileHandle['write']);
    const all = await Promise.allSettled([
      store.appendMessages('a', [user('too much')]),
      store.commit('a', { messages: [user('after that')], expectedVersion: 2 }),
      store.appendMessages('a', [user('two')]),
      store.appendMessages('a', [user('three')]),
    ]);
    await late;
    undo();
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled']);
    const stored = await store.loadMessages('a');
    expect(stored).toEqual(['one', 'two', 'three', 'last'].map((text) => user(text)));
    expect(await (await space.reopen()).loadMessages('a')).toEqual(stored);
  });

  it('J1 and takes nothing back either, loses no content of a document to a crash after that', async () => {
    const space = await workspace();
    const store = space.open();
    await store.saveInfo('a', {});
    await store.saveDocument('a', { kind: 'compression', name: 'x', content: 'before' });
    const target = await handles(space);
    const undone = (['datasync', 'truncate'] as const).map((name) =>
      replace(target, name, async () => {
        throw failure('EIO');
      }),
    );
    const saved = store.saveDocument('a', { kind: 'compression', name: 'x', content: 'refused' });
    await expect(saved).rejects.toThrow(StoreUnavailableError);
    const copy = join(space.outside, 'as a crash leaves it');
    await cp(space.root, copy, { recursive: true });
    for (const undo of undone) undo();
    for (const name of await readdir(copy)) if (name.startsWith('lock')) await rm(join(copy, name));
    await using other = new JSONStore(copy);
    expect((await other.loadDocument('a', 'compression', 'x'))?.content).toMatch(/^(before|refused)$/);
    expect((await store.loadDocument('a', 'compression', 'x'))?.content).toBe('before');
  });

  it('J3 makes no fork, however much of it was written', async () => {
    const space = await workspace();
    const store = space.open();
    const messages = Array.from({ length: 40 }, (_, n) => user(`${n} ${'.'.repeat(100_000)}`));
    await store.commit('a', { info: {}, messages, expectedVersion: 0 });
    const before = await filesIn(space.root);
    const target = await handles(space);
    for (const passing of [0, 1, 3]) {
      const undo = failAfter(target, 'writeFile', passing);
      await expect(store.fork('a', { agentId: 'b' })).rejects.toMatchObject({ outcome: 'none' });
      undo();
      expect(await filesIn(space.root)).toEqual(before);
    }
    await store.fork('a', { agentId: 'b' });
    expect(await (await space.reopen()).loadMessages('b')).toEqual(messages);
  });

  it.each(['alpha1', 'alpha2'])('J3 leaves a folder of 3.0.0-%s to the next opening', async (version) => {
    const space = await workspace();
    await cp(fileURLToPath(new URL(`../fixtures/${version}/json`, import.meta.url)), space.root, {
      recursive: true,
    });
    const target = await handles(space);
    // The first is the marker; a fork after that.
    for (const passing of [0, 1, 2, 4]) {
      const undo = failAfter(target, 'sync', passing);
      const store = new JSONStore(space.root);
      await expect(store.loadMessages('orphan')).rejects.toThrow(StoreUnavailableError);
      undo();
      await store.close();
    }
    expect(await space.open().loadMessages('orphan')).toHaveLength(2);
    expect(await readdir(space.root)).not.toContain('ancestors');
  });
});

/** Lets the first so many calls of a method pass, and no more. */
function failAfter(
  target: Handles,
  name: 'sync' | 'datasync' | 'truncate' | 'writeFile',
  passing: number,
): () => void {
  const original = target[name] as (...given: unknown[]) => Promise<void>;
  let calls = 0;
  return replace(target, name, async function (this: FileHandle, ...given: unknown[]) {
    calls += 1;
    if (calls > passing) throw failure(name === 'writeFile' ? 'ENOSPC' : 'EIO');
    return original.apply(this, given);
  } as FileHandle['sync']);
}

describe('a call that was answered with an error', () => {
  it('J1 is stored after the store is closed only if the error says that it may be', async () => {
    const space = await workspace();
    for (const failing of [['datasync'], ['datasync', 'truncate'], ['datasync', 'sync']] as const) {
      const store = new JSONStore(space.root);
      const id = failing.join(' ');
      await store.commit(id, { info: {}, messages: [user('one')], expectedVersion: 0 });
      const target = await handles(space);
      const undone = failing.map((name) => failAfter(target, name, 0));
      const error = await store.appendMessages(id, [user('refused')]).catch((thrown: unknown) => thrown);
      const closed = await store.close().catch((thrown: unknown) => thrown);
      for (const undo of undone) undo();
      if (failing.length > 1) expect(closed, 'what it leaves there is not hidden').toBeInstanceOf(Error);
      expect(error).toMatchObject({ outcome: failing.length === 1 ? 'none' : 'unknown' });
      await using next = new JSONStore(space.root);
      const stored = (await next.loadMessages(id)).length;
      if (failing.length === 1) expect(stored).toBe(1);
      if (failing[1] === 'truncate') expect(stored, 'as the error said').toBe(2);
    }
  });

  // Of the file, of its folder, and of the two folders between which it is moved.
  it.each(
    [0, 1, 2, 3].flatMap((passing) => [
      { passing, how: 'creates' },
      { passing, how: 'forks' },
    ]),
  )('J1 $how no agent if the disk fails after $passing waits for it', async ({ passing, how }) => {
    const space = await workspace();
    const store = space.open();
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    const make = () => (how === 'forks' ? store.fork('a', { agentId: 'b' }) : store.saveInfo('b', {}));
    const target = await handles(space);
    for (const [undoable, outcome] of [
      [true, 'none'],
      [false, 'unknown'],
    ] as const) {
      // Once, or from then on.
      let calls = 0;
      const sync = target.sync as () => Promise<void>;
      const undo = replace(target, 'sync', async function (this: FileHandle) {
        calls += 1;
        if (undoable ? calls === passing + 1 : calls > passing) throw failure('EIO');
        return sync.call(this);
      } as FileHandle['sync']);
      const error = await make().catch((thrown: unknown) => thrown);
      undo();
      expect(error).toMatchObject({ outcome: passing < 2 ? 'none' : outcome });
      if (undoable || passing < 2) expect(await store.exists('b')).toBe(false);
    }
  });

  it('J1 deletes no agent if the disk fails', async () => {
    const space = await workspace();
    const store = space.open();
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    const target = await handles(space);
    let calls = 0;
    const sync = target.sync as () => Promise<void>;
    const undo = replace(target, 'sync', async function (this: FileHandle) {
      calls += 1;
      if (calls === 1) throw failure('EIO');
      return sync.call(this);
    } as FileHandle['sync']);
    await expect(store.delete('a')).rejects.toMatchObject({ outcome: 'none' });
    undo();
    expect(await store.loadMessages('a')).toEqual([user('one')]);
    const undone = failAfter(target, 'sync', 0);
    await expect(store.delete('a')).rejects.toMatchObject({ outcome: 'unknown' });
    undone();
  });
});

describe('what a commit costs', () => {
  it('J1 is one write and one sync, however much is in it, and one for all that come together', async () => {
    const space = await workspace();
    const store = space.open();
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    const target = await handles(space);
    const counts = { write: 0, writeFile: 0, truncate: 0, sync: 0, datasync: 0 };
    for (const name of Object.keys(counts) as (keyof Handles)[]) {
      const original = target[name] as (...given: unknown[]) => unknown;
      replace(target, name, function (this: FileHandle, ...given: unknown[]) {
        counts[name] += 1;
        return original.apply(this, given);
      } as never);
    }
    const cost = async (work: () => Promise<unknown>) => {
      Object.assign(counts, { write: 0, writeFile: 0, truncate: 0, sync: 0, datasync: 0 });
      await work();
      return { ...counts };
    };
    const one = { write: 1, writeFile: 0, truncate: 0, sync: 0, datasync: 1 };
    expect(await cost(() => store.appendEvent('a', progress('x')))).toEqual(one);
    const turn = () =>
      store.commit('a', {
        messages: [asks('call'), answers('call')],
        events: [progress('x')],
        todos: { todos: ['x'] },
        info: { status: 'running' },
        snapshot: { id: 's' },
        operationId: 'x',
      });
    expect(await cost(turn)).toEqual(one);
    const together = () =>
      Promise.all(Array.from({ length: 50 }, () => store.appendEvent('a', progress('x'))));
    expect((await cost(together)).datasync).toBeLessThanOrEqual(2);
    // The file, its folder, and the two folders between which it is moved.
    const created = await cost(() => store.saveInfo('b', {}));
    expect(created).toEqual({ write: 0, writeFile: 1, truncate: 0, sync: 4, datasync: 0 });
    const saved = await cost(() => store.saveDocument('b', { kind: 'compression', name: 'x', content: 1 }));
    expect(saved).toEqual({ write: 1, writeFile: 1, truncate: 0, sync: 3, datasync: 1 });
  });

  it('J1 is 17 bytes beside the text, as in 3.0.0-alpha.1', async () => {
    const space = await workspace();
    const store = space.open();
    await store.saveInfo('a', {});
    await store.appendEvent('a', progress('x'.repeat(200)));
    const line = (await readFile(await space.logOf('a'), 'utf8')).trimEnd().split('\n').at(-1) ?? '';
    const text = JSON.stringify(JSON.parse(line)[2]);
    expect(line.length - text.length).toBe(17);
    expect(join(line)).toContain(text);
  });
});
