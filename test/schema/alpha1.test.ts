import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, cp, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreBusyError } from '../../src/errors.ts';
import { JSONStore } from '../../src/json/store.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { ExtendedStore, Store } from '../../src/store/store.ts';
import { assistant, user } from '../../src/testing/samples.ts';
import { onProcessExit } from '../support/exit-hooks.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { dumpPostgres } from './dump-postgres.ts';
import { dumpSqlite } from './dump-sqlite.ts';

// Databases that 3.0.0-alpha.1 made (test/fixtures/make-alpha1.mjs) are opened, upgraded and read whole.

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/alpha1/${name}`, import.meta.url));
const database = postgresDatabase('postgres18');

let directory: string;
beforeAll(async () => {
  directory = await makeTemporaryDirectory();
});
afterAll(() => removeDirectory(directory));

/** Where the dump was loaded. */
let schema: string;

const OPENERS: Record<string, () => Promise<Store>> = {
  async sqlite() {
    const path = join(directory, 'agents.db');
    await copyFile(fixture('agents.db'), path);
    return new SqliteStore(path);
  },
  async json() {
    const folder = join(directory, 'json');
    await cp(fixture('json'), folder, { recursive: true });
    return new JSONStore(folder);
  },
  async postgres() {
    const { url, client, createSchema } = await database();
    schema = await createSchema();
    const dump = await readFile(fixture('postgres.sql'), 'utf8');
    await client.query(dump.replaceAll('public.kode_', `${schema}.kode_`));
    return new PostgresStore(url, undefined, { schema });
  },
};

describe.each(Object.keys(OPENERS))('V1 a database of 3.0.0-alpha.1 on %s', (name) => {
  let store: ExtendedStore;

  beforeAll(async () => {
    store = (await OPENERS[name]?.()) as ExtendedStore;
  });
  afterAll(() => store.close());

  it('is read as that version read it', async () => {
    const expected = JSON.parse(await readFile(fixture(`${name}.expected.json`), 'utf8')) as Read;
    // What infos have beside: nobody has tried these agents.
    const now = JSON.stringify(await read(store)).replaceAll(',"attempts":0', '');
    expect(JSON.parse(now)).toEqual(expected);
  });

  it('is consistent, where that can be asked', async () => {
    if (name !== 'json') expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('is gone on with: open calls, approvals, snapshots, rewrites, forks', async () => {
    const decided = await store.decideApproval('fork-3', 'c2', { decision: 'deny', note: 'no' });
    expect(decided).toMatchObject({ state: 'denied', approval: { decision: 'deny', note: 'no' } });
    await store.saveToolCallRecords('fork-a', [{ toolCallId: 'c2', state: 'completed', output: 1 }]);
    expect((await store.loadToolCallRecords('fork-of-fork')).at(-1)?.state).toBe('approval_required');
    expect(await store.commit('root', { messages: [user('again')], operationId: 'op-1' }).catch(codeOf)).toBe(
      'VALIDATION',
    );
    const late = await store.fork('root', { at: 'after-refund' });
    expect(await store.loadMessages(late)).toEqual((await store.loadMessages('fork-a')).slice(0, 5));
    await store.saveMessages('fork-of-fork', (await store.loadMessages('fork-of-fork')).slice(0, 4));
    await store.commit('orphan', {
      messages: [assistant('on')],
      events: [{ channel: 'progress', type: 'x' }],
    });
    expect(await store.loadContext('fork-after-compaction')).toHaveLength(5);
    expect((await collect(store.readEvents('died', { since: 4 }))).map(({ cursor }) => cursor)).toEqual([5]);
    if (name !== 'json') expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('can be emptied', async () => {
    for (const id of await store.list()) await store.delete(id);
    expect(await store.list()).toEqual([]);
    if (name !== 'json') expect((await store.checkConsistency()).issues).toEqual([]);
  });
});

describe('V1 the schema of an upgraded database', () => {
  it('is that of a new one, on SQLite', async () => {
    const db = new Database(join(directory, 'agents.db'), { readonly: true });
    await expect(dumpSqlite(db)).toMatchFileSnapshot('./sqlite.schema');
    db.close();
  });

  it('is that of a new one, on PostgreSQL', async () => {
    const { client } = await database();
    await expect(await dumpPostgres(client, schema)).toMatchFileSnapshot('./postgres.schema');
  });
});

// The package itself lies beside the repository.
const alphaPackage = fileURLToPath(
  new URL('../../../shared/alpha1/shareai-lab-kode-sdk-3.0.0-alpha.1.tgz', import.meta.url),
);

describe.skipIf(!existsSync(alphaPackage))('V1 a writer of 3.0.0-alpha.1', () => {
  const folder = () => join(directory, 'package');
  beforeAll(async () => {
    spawnSync('tar', ['xzf', alphaPackage, '-C', directory]);
    const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
    await symlink(modules, join(folder(), 'node_modules'), 'dir');
  });

  it.each(['sqlite', 'postgres'])('fails loudly once its database is upgraded, on %s', async (name) => {
    const { args, open } = await placeOf(name);
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('./alpha-child.mjs', import.meta.url)),
      folder(),
      name,
      ...args,
    ]);
    const callOff = onProcessExit(() => child.kill('SIGKILL'));
    const closed = once(child, 'close').finally(callOff);
    const acknowledged: string[] = [];
    const said: string[] = [];
    let upgraded: ExtendedStore | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      (/^\d+$/.test(line) ? acknowledged : said).push(line);
      if (acknowledged.length === 20 && !upgraded) {
        upgraded = open();
        await upgraded.list();
      }
    }
    await closed;
    expect(said).toEqual([expect.stringContaining('commit refused'), 'lease refused']);
    const stored = await upgraded?.loadMessages('writer');
    expect(stored?.slice(0, acknowledged.length)).toEqual(acknowledged.map((n) => user(n)));
    // The one that was under way may have been stored before the upgrade took its turn.
    expect(stored?.length).toBeLessThanOrEqual(acknowledged.length + 1);
    expect((await upgraded?.checkConsistency())?.issues).toEqual([]);
    await upgraded?.close();
  });

  /** Writes to a folder with that version, until it is told to end. */
  function writeJson(where: string) {
    const script = fileURLToPath(new URL('./alpha-child.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, folder(), 'json', where]);
    const callOff = onProcessExit(() => child.kill('SIGKILL'));
    const closed = once(child, 'close').finally(callOff);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const said: string[] = [];
    return {
      said,
      /** Until it has said so much, or has ended. */
      async until(count: number) {
        while (said.length < count) {
          const line = await lines.next();
          if (line.done) return;
          said.push(line.value);
        }
      },
      async end(how: 'close' | 'kill') {
        if (how === 'close') child.stdin.end();
        else child.kill('SIGKILL');
        await this.until(Number.POSITIVE_INFINITY);
        await closed;
      },
    };
  }

  it.each(['close', 'kill'] as const)(
    'keeps its JSON folder to itself until it ends (%s), and loses nothing to an upgrade',
    async (how) => {
      const where = join(directory, `json-${how}`);
      const writer = writeJson(where);
      await writer.until(20);
      const early = new JSONStore(where);
      const refusal = await early.list().catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StoreBusyError);
      expect(String(refusal)).toContain(`The folder "${where}" is in use by process`);
      await expect(early.saveInfo('x', {})).rejects.toThrow(StoreBusyError);
      await writer.until(writer.said.length + 20);
      await writer.end(how);
      // The same store takes the folder as soon as it can.
      const stored = await early.loadMessages('writer');
      expect(stored.slice(0, writer.said.length)).toEqual(writer.said.map((n) => user(n)));
      expect(stored.length, 'but for the one that was under way').toBeLessThanOrEqual(writer.said.length + 1);
      await early.appendMessages('writer', [user('on')]);
      // While it is open, and afterwards, that version is refused, and changes nothing.
      const late = writeJson(where);
      await late.end('close');
      await early.close();
      const later = writeJson(where);
      await later.end('close');
      for (const { said } of [late, later]) expect(said).toEqual([expect.stringContaining('commit refused')]);
      await using again = new JSONStore(where);
      expect(await again.loadMessages('writer')).toEqual([...stored, user('on')]);
    },
  );

  async function placeOf(name: string): Promise<{ args: string[]; open(): ExtendedStore }> {
    if (name === 'sqlite') {
      const where = join(directory, 'written.db');
      return { args: [where], open: () => new SqliteStore(where) };
    }
    const { url, createSchema } = await database();
    const written = await createSchema();
    return {
      args: [url, written],
      open: () => new PostgresStore(url, undefined, { schema: written }),
    };
  }
});

interface Read {
  agents: Record<string, unknown>;
  queries?: Record<string, unknown>;
}

/** As test/fixtures/make-alpha1.mjs reads it. */
async function read(store: ExtendedStore): Promise<Read> {
  const agents: Record<string, unknown> = {};
  for (const id of (await store.list()).sort()) {
    const snapshots = await store.listSnapshots(id);
    agents[id] = {
      loaded: await store.loadAgent(id),
      context: await store.loadContext(id),
      compactions: await store.loadCompactions(id),
      snapshots: await Promise.all(snapshots.map((one) => store.loadSnapshot(id, one.id))),
      events: await collect(store.readEvents(id)),
      documents: await store.listDocuments(id, 'recovered-file'),
    };
  }
  if (!('querySessions' in store)) return { agents };
  const queries = {
    sessions: await store.querySessions(),
    messages: await store.queryMessages({ limit: 1_000 }),
    toolCalls: await store.queryToolCalls({ limit: 1_000 }),
    stats: await store.aggregateStats({}),
  };
  return { agents, queries };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function codeOf(error: { code?: string }): string | undefined {
  return error.code;
}
