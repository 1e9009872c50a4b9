import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaseNotHeldError, LockTimeoutError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { createAgent, progress, user } from '../../src/testing/samples.ts';
import { type Child, startChild } from '../support/child.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const PROCESSES = 20;

let directory: string;
let path: string;
const children: Child[] = [];

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'agents.db');
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await removeDirectory(directory);
});

function start(name: string, ...args: string[]): Child {
  const child = startChild(new URL(name, import.meta.url), { args });
  children.push(child);
  return child;
}

describe('several processes on one file', () => {
  it('open an empty one, twenty of them at once', { timeout: 180_000 }, async () => {
    const agents = Array.from({ length: PROCESSES }, (_, n) => `agent-${n}`);
    const writers = agents.map((id) => start('./writer.child.ts', path, '2', id));
    await Promise.all(writers.map((child) => child.rest()));
    const store = new SqliteStore(path);
    expect((await store.list()).sort()).toEqual([...agents].sort());
    expect((await store.checkConsistency()).issues).toEqual([]);
    for (const id of agents) expect((await store.loadInfo(id))?.messageCount).toBe(4);
    await store.close();
  });

  it('write at the same time, to agents of their own and to a shared one', { timeout: 120_000 }, async () => {
    const store = new SqliteStore(path);
    await createAgent(store, 'shared');
    const steps = 150;
    const writers = [
      start('./writer.child.ts', path, `${steps}`, 'shared', 'one'),
      start('./writer.child.ts', path, `${steps}`, 'shared', 'two'),
    ];
    for (const writer of writers) expect(await writer.line()).toBe('open');
    for (let n = 0; n < steps; n += 1) {
      await store.commit('shared', { messages: [user(`${n}`)], events: [progress('x')] });
    }
    await Promise.all(writers.map((child) => child.rest()));
    const { info, messages, toolCalls } = await store.loadAgent('shared');
    expect(messages).toHaveLength(5 * steps);
    expect(info.version).toBe(1 + 3 * steps);
    expect(toolCalls.map(({ callSeq }) => callSeq)).toEqual(Array.from({ length: 2 * steps }, (_, n) => n));
    for (const id of ['one', 'two']) expect((await store.loadInfo(id))?.messageCount).toBe(2 * steps);
    expect((await store.checkConsistency()).issues).toEqual([]);
    await store.close();
  });

  it("respect each other's leases, and take over from one that died", { timeout: 60_000 }, async () => {
    const ttlMs = 1_500;
    const store = new SqliteStore(path);
    await createAgent(store, 'a');
    const holder = start('./lease.child.ts', path, 'a', `${ttlMs}`);
    const token = Number(await holder.line());
    await expect(store.appendMessages('a', [user('x')])).rejects.toBeInstanceOf(LeaseNotHeldError);
    // It is renewed for as long as its holder lives.
    await expect(store.acquireAgentLock('a', { waitMs: 2 * ttlMs })).rejects.toBeInstanceOf(LockTimeoutError);
    await store.appendEvent('a', progress('x'));
    await holder.kill();
    const lease = await store.acquireAgentLock('a', { waitMs: 10 * ttlMs });
    expect(lease.token).toBeGreaterThan(token);
    await store.appendMessages('a', [user('mine')], { lease });
    await store.close();
  });

  it('see what the others write, and a watcher hears of it', { timeout: 60_000 }, async () => {
    const store = new SqliteStore(path);
    await createAgent(store, 'a');
    const end = new AbortController();
    const cursors: number[] = [];
    const watching = (async () => {
      for await (const item of store.watch('a', { signal: end.signal })) {
        if (item.kind === 'event') cursors.push(item.cursor);
      }
    })();
    await start('./writer.child.ts', path, '10', 'a').rest();
    await expect.poll(() => cursors).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    end.abort();
    await watching;
    expect((await store.loadInfo('a'))?.messageCount).toBe(20);
    await store.close();
  });
});
