import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JSONStore } from '../../src/json/store.ts';
import type { Message } from '../../src/model/message.ts';
import { conversation, user } from '../../src/testing/samples.ts';
import { bytesIn, filesIn, leftIn, workspaces } from './helpers.ts';

const workspace = workspaces();

/** Messages of 1 KiB each that can be told apart on disk. */
function heavy(name: string, count: number): Message[] {
  return Array.from({ length: count }, (_, n) => user(`${name}-${n} ${'.'.repeat(1_000)}`));
}

async function create(store: JSONStore, agentId: string, messages: Message[]): Promise<void> {
  await store.commit(agentId, { info: {}, messages, expectedVersion: 0 });
}

/** Whether some file below the folder holds this text. */
async function holds(root: string, text: string): Promise<boolean> {
  for (const name of (await filesIn(root)).keys()) {
    if ((await readFile(join(root, name), 'utf8')).includes(text)) return true;
  }
  return false;
}

async function size(root: string, agentId: string): Promise<number> {
  let bytes = 0;
  for (const length of (await filesIn(join(root, 'agents', agentId))).values()) bytes += length;
  return bytes;
}

describe('what a write costs', () => {
  it('is what it weighs, however long the conversation is', async () => {
    const { root, open } = await workspace();
    const store = open();
    await create(store, 'a', []);
    const costs: number[] = [];
    for (let n = 0; n < 50; n += 1) {
      await store.appendMessages('a', heavy(`part${n}`, 20));
      const before = await size(root, 'a');
      await store.appendMessages('a', [user('one more')]);
      costs.push((await size(root, 'a')) - before);
    }
    expect(Math.max(...costs)).toBeLessThan(250);
  });

  it('is a small line for a snapshot, whatever is behind it, and what it inherits for a fork', async () => {
    const { root, open } = await workspace();
    const store = open();
    await create(store, 'a', heavy('large', 2_000));
    const cost = async (work: () => Promise<unknown>) => {
      const before = await bytesIn(root);
      await work();
      return (await bytesIn(root)) - before;
    };
    expect(await cost(() => store.saveSnapshot('a', { id: 's' }))).toBeLessThan(300);
    const whole = await size(root, 'a');
    for (const at of [undefined, 's'] as const) {
      expect(
        Math.abs((await cost(() => store.fork('a', at === undefined ? {} : { at }))) - whole),
      ).toBeLessThan(whole / 100);
    }
    const early = await cost(() => store.fork('a', { at: 20, agentId: 'early' }));
    expect(early).toBeLessThan(whole / 90);
    expect(await cost(() => store.appendMessages('early', [user('one more')]))).toBeLessThan(250);
  });

  it('is nothing for what is equal, and the tail alone for what is rewritten', async () => {
    const { root, open } = await workspace();
    const store = open();
    const messages = heavy('m', 100);
    await create(store, 'a', messages);
    const before = await size(root, 'a');
    await store.saveMessages('a', messages);
    await store.saveMessages('a', [...messages.slice(0, 99), user('other')]);
    expect((await size(root, 'a')) - before).toBeLessThan(500);
  });
});

describe('space is given back', () => {
  it('whole, when an agent is deleted, in whatever order: its folder goes, and nothing else is touched', async () => {
    for (const order of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
      const { root, open } = await workspace();
      const store = open();
      await store.list();
      const empty = await bytesIn(root);
      await create(store, 'a', heavy('a', 20));
      await store.fork('a', { agentId: 'b', at: 15 });
      await store.appendMessages('b', heavy('b', 20));
      await store.fork('b', { agentId: 'c', at: 25 });
      await store.saveDocument('c', { kind: 'media-cache', name: 'x', content: 'y'.repeat(5_000) });
      for (const id of order) {
        const before = await filesIn(root);
        await store.delete(id);
        const others = [...before].filter(([name]) => !name.startsWith(`agents/${id}/`));
        expect([...(await filesIn(root))], order).toEqual(others);
      }
      expect(await bytesIn(root), order).toBe(empty);
      expect(await leftIn(root), order).toEqual([]);
    }
  });

  it('of a deleted parent at once: its forks have what they began with', async () => {
    const { root, open, reopen } = await workspace();
    const store = open();
    await create(store, 'a', heavy('early', 10));
    await store.appendMessages('a', heavy('late', 10));
    await store.fork('a', { agentId: 'b', at: 10 });
    await store.delete('a');
    expect([await holds(root, 'early-9'), await holds(root, 'late-0')]).toEqual([true, false]);
    expect(await (await reopen()).loadMessages('b')).toEqual(heavy('early', 10));
    expect(await readdir(join(root, 'agents'))).toEqual(['b']);
  });

  it('of what a fork inherited and has overwritten', async () => {
    const { root, open, reopen } = await workspace();
    const store = open();
    await create(store, 'a', [...conversation(2), ...heavy('tail', 40)]);
    await store.fork('a', { agentId: 'b' });
    await store.saveMessages('b', [...conversation(2), user('rewritten')]);
    await store.delete('a');
    const again = await reopen();
    expect(await again.loadMessages('b')).toEqual([...conversation(2), user('rewritten')]);
    await again.appendMessages('b', [user('on')]);
    await reopen();
    expect(await holds(root, 'tail-39')).toBe(false);
  });

  it('of what is overwritten again and again: a log stays in proportion to what is in it', async () => {
    const { root, open, reopen } = await workspace();
    const store = open();
    await create(store, 'a', conversation(4));
    await store.saveSnapshot('a', { id: 'kept' });
    for (let n = 0; n < 150; n += 1) {
      await store.saveMessages('a', [...conversation(2), ...heavy(`version${n}`, 3)]);
      await store.saveTodos('a', { todos: [`todo${n} ${'.'.repeat(1_000)}`] });
      await store.saveInfo('a', { metadata: { n, text: '.'.repeat(1_000) } });
      await store.saveDocument('a', { kind: 'history-window', name: 'w', content: `${n}`.repeat(1_000) });
      await store.saveDelta('a', { text: '.'.repeat(1_000) });
      await store.saveSnapshot('a', { id: 'own', messages: heavy(`snapshot${n}`, 2) });
    }
    const again = await reopen();
    // All in all over a megabyte was written.
    expect(await size(root, 'a')).toBeLessThan(160_000);
    expect(await again.loadMessages('a')).toEqual([...conversation(2), ...heavy('version149', 3)]);
    expect((await again.loadSnapshot('a', 'kept'))?.messages).toEqual(conversation(4));
    expect((await again.loadSnapshot('a', 'own'))?.messages).toEqual(heavy('snapshot149', 2));
    expect((await again.loadInfo('a'))?.metadata.n).toBe(149);
    expect((await again.loadInfo('a'))?.version).toBe(2 + 150 * 5);
    expect((await again.loadDocument('a', 'history-window', 'w'))?.content).toBe('149'.repeat(1_000));
    expect(await readdir(join(root, 'agents', 'a', 'documents'))).toHaveLength(1);
  });
});
