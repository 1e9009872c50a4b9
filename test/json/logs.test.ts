import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CorruptDataError, SchemaVersionError } from '../../src/errors.ts';
import { frame } from '../../src/json/lines.ts';
import { MAX_TORN_BYTES } from '../../src/json/log-file.ts';
import { asks, collect, conversation, progress, user } from '../../src/testing/samples.ts';
import { filesIn, linesOf, type Workspace, workspaces } from './helpers.ts';

const workspace = workspaces();

/** Agent `a` after three commits; the last one has something of everything. */
async function written(space: Workspace): Promise<{ log: string; before: unknown; after: unknown }> {
  const store = space.open();
  await store.commit('a', { info: {}, messages: conversation(3), expectedVersion: 0 });
  await store.commit('a', { messages: [asks('call')], events: [progress('one')], operationId: 'one' });
  const before = await everything(space);
  const again = await space.reopen();
  await again.commit('a', {
    messages: [user('zwölf\u0000\ud800')],
    toolCalls: [{ toolCallId: 'call', state: 'completed', output: [1] }],
    events: [progress('two'), progress('three')],
    todos: { todos: ['x'] },
    usage: [{ model: 'm', inputTokens: 1 }],
    info: { status: 'running', metadata: { z: 1 } },
    compaction: { seq: 1, messages: [user('so far')] },
    snapshot: { id: 's' },
    operationId: 'two',
  });
  const after = await everything(space);
  return { log: await space.logOf('a'), before, after };
}

async function everything(space: Workspace): Promise<unknown> {
  const store = await space.reopen();
  return JSON.stringify([
    await store.loadAgent('a'),
    await store.loadCompactions('a'),
    await store.listSnapshots('a'),
    await collect(store.readEvents('a')),
  ]);
}

describe('a log whose last line was cut off', () => {
  it('at whatever byte: the commit is not there, all before it is, and writing goes on', async () => {
    const space = await workspace();
    await written(space);
    const before = await everything(space);
    await (await space.reopen()).commit('a', { messages: [user('on')], events: [progress('e')] });
    expect(await everything(space)).not.toBe(before);
    const log = await space.logOf('a');
    const { bytes, starts } = await linesOf(log);
    const [last = 0, end = 0] = starts.slice(-2);
    for (let length = last; length < end; length += 1) {
      await (await space.reopen()).close();
      await writeFile(log, bytes.subarray(0, length));
      expect(await everything(space), `cut at ${length - last} of ${end - last}`).toBe(before);
      expect((await readFile(log)).length, 'J1 reading writes nothing').toBe(length);
    }
    await (await space.reopen()).commit('a', { messages: [user('on')], events: [progress('on')] });
    const again = await space.reopen();
    expect(await again.loadMessages('a')).toHaveLength(6);
    expect((await collect(again.readEvents('a'))).map(({ cursor }) => cursor)).toEqual([1, 2, 3, 4]);
  });

  it('whatever it said: the commit is not there, and may be made again', async () => {
    const space = await workspace();
    const { log, before, after } = await written(space);
    const { bytes, starts } = await linesOf(log);
    const [last = 0, end = 0] = starts.slice(-2);
    expect(await everything(space)).toBe(after);
    for (let length = last; length < end; length += 41) {
      await (await space.reopen()).close();
      await writeFile(log, bytes.subarray(0, length));
      expect(await everything(space), `cut at ${length - last} of ${end - last}`).toBe(before);
    }
    const store = await space.reopen();
    const result = await store.commit('a', { messages: [user('on')], operationId: 'two' });
    expect(result).toEqual({ version: 3, messageCount: 5, cursor: 1 });
  });

  it('with anything in place of its end', async () => {
    const space = await workspace();
    const { log, before } = await written(space);
    const { bytes, starts } = await linesOf(log);
    const [last = 0, end = 0] = starts.slice(-2);
    for (const tail of [Buffer.alloc(100), Buffer.from('garbage'), Buffer.alloc(end - last, 0xff)]) {
      await (await space.reopen()).close();
      await writeFile(log, Buffer.concat([bytes.subarray(0, last), tail]));
      expect(await everything(space)).toBe(before);
    }
  });

  it('J1 keeps what is cut off beside the log when it is next written to', async () => {
    const space = await workspace();
    const { log } = await written(space);
    const { bytes, starts } = await linesOf(log);
    const [last = 0, end = 0] = starts.slice(-2);
    for (const piece of [bytes.subarray(last, end - 1), Buffer.alloc(3 << 20, 'x')]) {
      await (await space.reopen()).close();
      await writeFile(log, Buffer.concat([bytes.subarray(0, last), piece]));
      const files = await readdir(dirname(log));
      const store = await space.reopen();
      await everything(space);
      expect(await readdir(dirname(log))).toEqual(files);
      await (await space.reopen()).appendMessages('a', [user('on')]);
      expect((await readFile(log)).subarray(0, last)).toEqual(bytes.subarray(0, last));
      const kept = await readFile(`${log}.torn`);
      expect(kept.equals(piece.subarray(0, MAX_TORN_BYTES))).toBe(true);
      await store.close();
      expect(await (await space.reopen()).loadMessages('a')).toHaveLength(5);
    }
    await (await space.reopen()).delete('a');
    expect([...(await filesIn(join(space.root, 'agents'))).keys()]).toEqual([]);
  });

  it('of several writes at once: all of them are there, or none', async () => {
    const space = await workspace();
    const store = space.open();
    await store.saveInfo('a', {});
    await Promise.all(conversation(20).map((message) => store.appendMessages('a', [message])));
    await store.close();
    const log = await space.logOf('a');
    await truncate(log, (await readFile(log)).length - 1);
    const length = (await (await space.reopen()).loadMessages('a')).length;
    const { bytes } = await linesOf(log);
    const lines = bytes.toString().split('\n').slice(1, -1);
    const entries = lines.flatMap((line) => JSON.parse(line)[2] as unknown[]);
    expect(length).toBe(entries.length - 1);
    expect(length).toBeLessThan(20);
  });
});

describe('a damaged file', () => {
  it('J1 a byte, of the last line too: every call says so, none answers, and the file stays as it is', async () => {
    const space = await workspace();
    const { log } = await written(space);
    const { bytes, starts } = await linesOf(log);
    const last = starts.at(-2) ?? 0;
    const places = [0, 9, 30, (starts[1] ?? 0) + 40, last - 1, last, last + 5, last + 200];
    for (const at of [...places, bytes.length - 2, bytes.length - 1]) {
      await (await space.reopen()).close();
      await writeFile(log, flipped(bytes, at));
      const store = await space.reopen();
      for (const call of [
        store.loadMessages('a'),
        store.loadInfo('a'),
        store.loadAgent('a'),
        store.appendMessages('a', [user('x')]),
        store.appendEvent('a', progress('x')),
        collect(store.readEvents('a')),
        store.fork('a'),
      ]) {
        await expect(call, `byte ${at}`).rejects.toThrow(CorruptDataError);
      }
      expect(await store.list()).toEqual(['a']);
      expect(await store.exists('a')).toBe(true);
    }
    expect((await readFile(log)).equals(flipped(bytes, bytes.length - 1))).toBe(true);
  });

  it('is no reason to keep an agent that is deleted: nothing of it is read', async () => {
    const space = await workspace();
    const { log } = await written(space);
    await (await space.reopen()).close();
    await writeFile(log, flipped(await readFile(log), 30));
    const store = await space.reopen();
    await store.delete('a');
    expect(await store.list()).toEqual([]);
  });

  it('a line that is missing in the middle', async () => {
    const space = await workspace();
    const { log } = await written(space);
    const { bytes, starts } = await linesOf(log);
    await (await space.reopen()).close();
    await writeFile(log, Buffer.concat([bytes.subarray(0, starts[1]), bytes.subarray(starts[2])]));
    await expect((await space.reopen()).loadMessages('a')).rejects.toThrow(/damaged at byte/);
  });

  it('leaves other agents alone', async () => {
    const space = await workspace();
    const { log } = await written(space);
    await (await space.reopen()).saveInfo('b', {});
    await (await space.reopen()).close();
    await writeFile(log, 'nonsense');
    const store = await space.reopen();
    await expect(store.loadAgent('a')).rejects.toThrow(log);
    await store.appendMessages('b', [user('x')]);
    expect(await store.loadMessages('b')).toHaveLength(1);
  });

  it('a line that is whole but makes no sense', async () => {
    const space = await workspace();
    const { log } = await written(space);
    const { bytes } = await linesOf(log);
    for (const line of [
      '[]',
      '{}',
      '[{"n":4}]',
      '[{"n":4,"at":1,"version":3,"messages":"x"}]',
      'null',
      '[1',
    ]) {
      await (await space.reopen()).close();
      await writeFile(log, Buffer.concat([bytes, frame(line, sumOf(bytes)).bytes]));
      await expect((await space.reopen()).loadMessages('a'), line).rejects.toThrow(CorruptDataError);
    }
  });

  it('an empty folder in place of an agent', async () => {
    const space = await workspace();
    const { log } = await written(space);
    await (await space.reopen()).close();
    await rm(log);
    await expect((await space.reopen()).loadMessages('a')).rejects.toThrow(CorruptDataError);
  });

  it('a document', async () => {
    const space = await workspace();
    const store = space.open();
    await store.saveInfo('a', {});
    await store.saveDocument('a', { kind: 'media-cache', name: 'x', content: 'picture' });
    const folder = join(await space.logOf('a'), '..');
    const [document = ''] = await readdir(join(folder, 'documents'));
    const path = join(folder, 'documents', document);
    await writeFile(path, flipped(await readFile(path), 30));
    await expect(store.loadDocument('a', 'media-cache', 'x')).rejects.toThrow(CorruptDataError);
    await expect(store.listDocuments('a', 'media-cache')).rejects.toThrow(CorruptDataError);
    await rm(path);
    await expect(store.loadDocument('a', 'media-cache', 'x')).rejects.toThrow(CorruptDataError);
    expect(await store.loadMessages('a')).toEqual([]);
  });
});

describe('a log of a newer format', () => {
  it('is refused as such', async () => {
    const space = await workspace();
    const { log } = await written(space);
    await (await space.reopen()).close();
    await writeFile(log, frame('{"format":3,"agentId":"a","key":"k","createdAt":1}').bytes);
    await expect((await space.reopen()).loadMessages('a')).rejects.toThrow(SchemaVersionError);
  });
});

/** A copy with one bit changed. */
function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** The checksum that the next line goes on from. */
function sumOf(bytes: Buffer): number {
  const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  return Number.parseInt(bytes.toString('latin1', last + 2, last + 10), 16);
}
