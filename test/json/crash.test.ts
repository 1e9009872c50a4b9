import { describe, expect, it } from 'vitest';
import type { JSONStore } from '../../src/json/store.ts';
import type { Message } from '../../src/model/message.ts';
import { user } from '../../src/testing/samples.ts';
import { startChild } from './child.ts';
import { leftIn, type Workspace, workspaces } from './helpers.ts';

const workspace = workspaces();

interface Said {
  done: 'creating' | 'holds' | 'rewriting' | 'deleting' | 'deleted';
  id: string;
  messages?: Message[];
}

/** Runs the workload in another process, and kills it in the midst of it. */
async function killedAfter(space: Workspace, ms: number): Promise<Said[]> {
  const child = await startChild(new URL('./crash-workload.ts', import.meta.url), [space.root]);
  const said: Said[] = [child.first as unknown as Said];
  child.process.on('message', (message) => said.push(message as Said));
  await new Promise((resolve) => setTimeout(resolve, ms));
  await child.kill();
  return said;
}

/** What was acknowledged last about each agent is true, but for what was under way. */
async function isTrue(store: JSONStore, said: readonly Said[]): Promise<void> {
  const last = new Map<string, Said>();
  for (const one of said) last.set(one.id, one);
  for (const { done, id, messages } of last.values()) {
    if (done === 'deleted') expect(await store.exists(id), id).toBe(false);
    if (done !== 'holds' || !messages) continue;
    const stored = await store.loadMessages(id);
    // The write after the acknowledged one may have been stored as well.
    expect(stored.slice(0, messages.length), id).toEqual(messages);
  }
}

describe('a process that is killed', () => {
  it('at any moment loses nothing that it was told is stored', async () => {
    const space = await workspace();
    for (let round = 0; round < 10; round += 1) {
      const said = await killedAfter(space, 20 + round * 23);
      const store = await space.reopen();
      await isTrue(store, said);
      // Every agent is whole, and can be worked with and deleted.
      for (const id of await store.list()) {
        const { info, messages } = await store.loadAgent(id);
        expect(messages).toHaveLength(info.messageCount);
        await store.appendMessages(id, [user('on')]);
        await store.delete(id);
      }
      expect(await leftIn(space.root)).toEqual([]);
      await store.close();
    }
  });
});
