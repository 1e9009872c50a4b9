import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CorruptDataError } from '../../src/errors.ts';
import { Engine } from '../../src/json/engine.ts';
import { settingsOf } from '../../src/json/options.ts';
import { JSONStore } from '../../src/json/store.ts';
import { systemClock } from '../../src/model/clock.ts';
import { collect, progress, user } from '../../src/testing/samples.ts';
import { filesIn, type Workspace, workspaces } from './helpers.ts';

const workspace = workspaces();

/** All that a store tells of an agent. */
interface Everything {
  events?: unknown[];
}

type Version = 'alpha1' | 'alpha2';

function fixture(version: Version, name: string): string {
  return fileURLToPath(new URL(`../fixtures/${version}/${name}`, import.meta.url));
}

/** A folder as an earlier version left it, and what that version read there. */
async function folderOf(
  version: Version,
): Promise<{ space: Workspace; expected: Record<string, Everything> }> {
  const space = await workspace();
  await cp(fixture(version, 'json'), space.root, { recursive: true });
  const { agents } = JSON.parse(await readFile(fixture(version, 'json.expected.json'), 'utf8'));
  return { space, expected: withoutAttempts(agents) };
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
  return withoutAttempts(all);
}

/** 3.0.0-alpha.1 had no field for them. */
function withoutAttempts(all: unknown): Record<string, Everything> {
  return JSON.parse(JSON.stringify(all).replaceAll(',"attempts":0', ''));
}

async function logs(root: string): Promise<string[]> {
  return [...(await filesIn(root)).keys()].filter((name) => name.includes('log-')).sort();
}

/** Logs of forks whose histories are in other logs. */
async function sharing(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await logs(root)) {
    const [header = ''] = (await readFile(join(root, name), 'utf8')).split('\n');
    if (header.includes('"base":')) found.push(name);
  }
  return found;
}

async function oldLogs(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await logs(root)) {
    if (!(await readFile(join(root, name), 'latin1')).startsWith('["')) found.push(name);
  }
  return found;
}

describe.each(['alpha1', 'alpha2'] as const)('a folder of 3.0.0-%s', (version) => {
  it('V1 is read whole, and gives each fork a log of its own', async () => {
    const { space, expected } = await folderOf(version);
    expect((await sharing(space.root)).length).toBeGreaterThan(5);
    const others = (await logs(space.root)).filter((name) => name.startsWith('agents/root/'));
    const before = await readFile(join(space.root, others[0] ?? ''));
    const store = space.open();
    expect(await everything(store)).toEqual(expected);
    expect(await sharing(space.root)).toEqual([]);
    expect(await readdir(space.root)).not.toContain('ancestors');
    expect(await readFile(join(space.root, others[0] ?? '')), 'of no fork').toEqual(before);
    expect(await everything(await space.reopen())).toEqual(expected);
  });

  it("ends giving forks their logs with its opening's signal, and the next opening goes on", async () => {
    const { space, expected } = await folderOf(version);
    const before = (await sharing(space.root)).length;
    const reason = new Error('enough');
    const stop = new AbortController();
    const { signal } = stop;
    // It is looked at before each agent.
    let looks = 0;
    signal.throwIfAborted = () => {
      looks += 1;
      if (looks === Object.keys(expected).length) stop.abort(reason);
      AbortSignal.prototype.throwIfAborted.call(signal);
    };
    const options = { ...settingsOf({}), clock: systemClock, signal };
    await expect(Engine.open(space.root, options)).rejects.toBe(reason);
    const left = (await sharing(space.root)).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(before);
    const store = space.open();
    expect(await everything(store)).toEqual(expected);
    expect(await sharing(space.root)).toEqual([]);
  });

  it('V1 is read as it is where nothing may be written', async () => {
    const { space, expected } = await folderOf(version);
    const before = await filesIn(space.root);
    await using archive = new JSONStore(space.root, { readOnly: true });
    expect(await everything(archive)).toEqual(expected);
    expect(await filesIn(space.root)).toEqual(before);
  });

  it('V1 is refused by that version from now on', async () => {
    const { space } = await folderOf(version);
    await space.open().list();
    // It opens no format above 1, or above 2.
    expect(JSON.parse(await readFile(join(space.root, 'store.json'), 'utf8'))).toEqual({
      store: 'kode',
      format: 3,
    });
  });

  it('V1 has each agent in the new format as soon as it is written to, with all that was there', async () => {
    const { space, expected } = await folderOf(version);
    const store = space.open();
    const ids = Object.keys(expected);
    for (const id of ids) await store.commit(id, { events: [progress('upgraded')] });
    expect(await oldLogs(space.root)).toEqual([]);
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
    const { space, expected } = await folderOf(version);
    const store = space.open();
    const ids = Object.keys(expected);
    await store.saveMessages('fork-a', [user('anew')]);
    await store.fork('fork-3', { agentId: 'new' });
    expect(await store.loadMessages('new')).toEqual(await store.loadMessages('fork-3'));
    await store.delete('root');
    await store.delete('fork-a');
    const { 'fork-of-fork': ofBoth } = await everything(store);
    expect(ofBoth).toEqual(expected['fork-of-fork']);
    for (const id of [...ids.toReversed(), 'new']) await store.delete(id);
    expect(await readdir(join(space.root, 'agents'))).toEqual([]);
    expect(await logs(space.root)).toEqual([]);
  });

  it('V1 whose upgrade was cut off at any step goes on from there', async () => {
    const { space, expected } = await folderOf(version);
    const forks = await sharing(space.root);
    await space.open().list();
    await (await space.reopen()).close();
    const agents = forks.filter((name) => name.startsWith('agents/'));
    // The steps of an upgrade: the marker, the log of one fork after the other, and what they began in.
    for (let step = 0; step <= agents.length + 1; step += 1) {
      const half = await workspace();
      await cp(fixture(version, 'json'), half.root, { recursive: true });
      const done = ['store.json', ...agents.slice(0, step)];
      for (const name of done) await cp(join(space.root, name), join(half.root, name));
      if (step > agents.length) {
        const [one = ''] = await readdir(join(half.root, 'ancestors'));
        await rm(join(half.root, 'ancestors', one));
      } else {
        await cp(join(space.root, agents[step] ?? 'store.json'), join(half.root, 'temporary', 'half'));
      }
      expect(await everything(half.open()), `after ${step} steps`).toEqual(expected);
      expect(await sharing(half.root)).toEqual([]);
      expect(await readdir(half.root)).not.toContain('ancestors');
      await (await half.reopen()).close();
    }
  });

  it('V1 with a damaged fork has the others, and that one as soon as it is restored', async () => {
    const { space, expected } = await folderOf(version);
    const log = await space.logOf('fork-3');
    const whole = await readFile(log);
    const damaged = Buffer.from(whole);
    damaged[damaged.length - 20] = 0;
    await writeFile(log, damaged);
    const store = space.open();
    await expect(store.loadMessages('fork-3')).rejects.toThrow(CorruptDataError);
    expect(await store.loadMessages('orphan')).toHaveLength(2);
    await (await space.reopen()).close();
    await writeFile(log, whole);
    expect(await everything(await space.reopen())).toEqual(expected);
    expect(await readdir(space.root)).not.toContain('ancestors');
  });

  it('V1 in which what a fork began with is gone says so of that fork', async () => {
    const { space } = await folderOf(version);
    for (const name of await readdir(join(space.root, 'ancestors'))) {
      await rm(join(space.root, 'ancestors', name));
    }
    const store = space.open();
    await expect(store.loadMessages('orphan')).rejects.toThrow(CorruptDataError);
    expect(await store.loadMessages('root')).toHaveLength(3);
  });

  it('J1 whose last line was cut off keeps the piece when it is upgraded', async () => {
    const { space, expected } = await folderOf(version);
    const log = await space.logOf('fork-a');
    const bytes = await readFile(log);
    await writeFile(log, Buffer.concat([bytes, bytes.subarray(0, 30)]));
    const store = space.open();
    expect((await everything(store))['fork-a']).toEqual(expected['fork-a']);
    await store.appendMessages('fork-a', [user('on')]);
    expect(await readFile(`${log}.torn`)).toEqual(bytes.subarray(0, 30));
    expect(await readdir(dirname(log))).toHaveLength(2);
  });
});
