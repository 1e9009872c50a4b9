import assert from 'node:assert/strict';
import type { ExtendedStore, Store } from '../../src/store/store.ts';
import { collect } from '../../src/testing/samples.ts';
import { digestOf, type Said } from './said.ts';

/** Fails if something is lost that a writer was told is stored. Resolves to how much that was. */
export async function checkAcknowledged(store: Store, said: readonly Said[]): Promise<number> {
  const last = new Map<string, Said>();
  let acknowledged = 0;
  for (const one of said) {
    if (one.done === 'failed') continue;
    if (one.done !== 'unsure') acknowledged += 1;
    const isState = one.done !== 'events' && one.done !== 'document';
    last.set(isState ? one.id : `${one.done} of ${one.id}`, one);
    if (one.done === 'unsure') for (const of of ['events', 'document']) last.delete(`${of} of ${one.id}`);
  }
  for (const one of last.values()) await check(store, one);
  return acknowledged;
}

async function check(store: Store, said: Said): Promise<void> {
  const { id } = said;
  switch (said.done) {
    case 'deleted':
      return assert.equal(await store.exists(id), false, `${id} was deleted`);
    case 'holds': {
      // The write after the acknowledged one may have been stored as well.
      const begins = (await store.loadMessages(id)).slice(0, said.count);
      return assert.equal(digestOf(begins), said.digest, `${id} held ${said.count} messages`);
    }
    case 'events': {
      const cursors = (await collect(store.readEvents(id))).map(({ cursor }) => cursor);
      assert.ok(cursors.length >= said.count, `${id} had ${said.count} events, and has ${cursors.length}`);
      return assert.deepEqual(
        cursors,
        [...cursors.keys()].map((n) => n + 1),
      );
    }
    case 'document': {
      const content = Number((await store.loadDocument(id, 'media-cache', 'x'))?.content);
      return assert.ok(content >= said.content, `${id} had document ${said.content}, and has ${content}`);
    }
    default:
  }
}

/** Fails unless all that is stored is whole. */
export async function checkWhole(store: Store): Promise<void> {
  if ('checkConsistency' in store) {
    const { issues } = await (store as ExtendedStore).checkConsistency({ level: 'full' });
    assert.deepEqual(issues, []);
  }
  for (const id of await store.list()) {
    const { info, messages } = await store.loadAgent(id);
    assert.equal(messages.length, info.messageCount, id);
    await store.loadContext(id);
    await store.listDocuments(id, 'media-cache');
    const snapshots = await store.listSnapshots(id);
    for (const snapshot of snapshots) await store.loadSnapshot(id, snapshot.id);
    await collect(store.readEvents(id));
  }
}
