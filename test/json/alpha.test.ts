import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { JSONStore } from '../../src/json/store.ts';
import { collect, progress, user } from '../../src/testing/samples.ts';
import { filesIn, type Workspace, workspaces } from './helpers.ts';

const fixture = fileURLToPath(new URL('../fixtures/alpha1/', import.meta.url));
const workspace = workspaces();

/** All that a store tells of an agent. */
interface Everything {
  events?: unknown[];
}

/** A folder as 3.0.0-alpha.1 left it, and what that version read there. */
async function alpha(): Promise<{ space: Workspace; expected: Record<string, Everything> }> {
  const space = await workspace();
  await cp(join(fixture, 'json'), space.root, { recursive: true });
  const { agents } = JSON.parse(await readFile(join(fixture, 'json.expected.json'), 'utf8'));
  return { space, expected: agents };
}

async function everything(store: JSONStore): Promise<Record<string, Everything>> {
  const all: Record<string, unknown> = {};
  for (const id of await store.list()) {
    const snapshots = await store.listSnapshots(id);
    all[id] = {
      loaded: await store.loadAgent(id),
      context: await store.loadContext(id),
      compactions: await store.loadCompactions(id),
      snapshots: await Promise.all(snapshots.map((one) => store.loadSnapshot(id, one.id))),
      events: await collect(store.readEvents(id)),
      documents: await store.listDocuments(id, 'recovered-file'),
    };
  }
  // What that version had no field for.
  return JSON.parse(JSON.stringify(all).replaceAll(',"attempts":0', ''));
}

async function formats(root: string): Promise<Record<string, string>> {
  const first: Record<string, string> = {};
  for (const name of (await filesIn(root)).keys()) {
    if (!/log-|documents/.test(name)) continue;
    first[name] = (await readFile(join(root, name), 'latin1')).startsWith('["') ? 'new' : 'old';
  }
  return first;
}

describe('a folder of 3.0.0-alpha.1', () => {
  it('V1 is read whole, and reading leaves its agents as they are', async () => {
    const { space, expected } = await alpha();
    const before = await formats(space.root);
    expect(new Set(Object.values(before))).toEqual(new Set(['old']));
    expect(await everything(space.open())).toEqual(expected);
    expect(await formats(space.root)).toEqual(before);
  });

  it('V1 is refused by that version from now on', async () => {
    const { space } = await alpha();
    await space.open().list();
    // What it finds there: it opens no format above 1.
    expect(JSON.parse(await readFile(join(space.root, 'store.json'), 'utf8'))).toEqual({
      store: 'kode',
      format: 2,
    });
  });

  it('V1 has each agent in the new format as soon as it is written to, with all that was there', async () => {
    const { space, expected } = await alpha();
    const store = space.open();
    const ids = Object.keys(expected);
    for (const id of ids) await store.commit(id, { events: [progress('upgraded')] });
    const after = await formats(space.root);
    const old = Object.entries(after).filter(([, format]) => format === 'old');
    expect(old.map(([name]) => name.split('/')[0])).not.toContain('agents/log');
    expect(old.every(([name]) => /^ancestors|documents/.test(name))).toBe(true);
    const same = async (now: Record<string, Everything>) => {
      expect(Object.keys(now)).toEqual(ids);
      for (const id of ids) {
        const { events = [], ...rest } = now[id] ?? {};
        expect({ ...rest, events: events.slice(0, -1) }).toEqual(expected[id]);
      }
    };
    await same(await everything(store));
    await same(await everything(await space.reopen()));
  });

  it('V1 can be rewritten, forked and deleted in whatever order, and leaves nothing behind', async () => {
    const { space, expected } = await alpha();
    const store = space.open();
    const ids = Object.keys(expected);
    await store.saveMessages('fork-a', [user('anew')]);
    await store.fork('fork-3', { agentId: 'new' });
    expect(await store.loadMessages('new')).toEqual(await store.loadMessages('fork-3'));
    for (const id of [...ids.toReversed(), 'new']) await store.delete(id);
    for (const folder of ['agents', 'ancestors']) expect(await readdir(join(space.root, folder))).toEqual([]);
  });

  it('V1 whose upgrade was cut off at any step goes on from there', async () => {
    const { space, expected } = await alpha();
    // The folder as it is after each step: the marker first, then one agent after the other, each in one step.
    const store = space.open();
    await store.list();
    const upgraded = async () =>
      Object.values(await formats(space.root)).filter((format) => format === 'new').length;
    for (const [n, id] of Object.keys(expected).entries()) {
      const again = await space.reopen();
      const { [id]: whole } = await everything(again);
      expect(whole).toEqual(expected[id]);
      await again.appendEvent(id, progress('x'));
      expect(await upgraded()).toBe(n + 1);
      // What a kill in the midst of it leaves.
      await (await space.reopen()).close();
      await writeFile(join(space.root, 'temporary', 'log-of-an-upgrade'), 'half');
    }
    await (await space.reopen()).list();
    await rm(space.root, { recursive: true });
  });

  it('J1 whose last line was cut off keeps the piece when it is upgraded', async () => {
    const { space, expected } = await alpha();
    const log = await space.logOf('fork-a');
    const bytes = await readFile(log);
    await writeFile(log, Buffer.concat([bytes, bytes.subarray(0, 30)]));
    const store = space.open();
    expect((await everything(store))['fork-a']).toEqual(expected['fork-a']);
    await store.appendMessages('fork-a', [user('on')]);
    expect(await readFile(`${log}.torn`)).toEqual(bytes.subarray(0, 30));
    expect((await readFile(log, 'latin1')).startsWith('["')).toBe(true);
  });
});
