import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JSONStore } from '../../src/json/store.ts';
import type { Ground, GroundOptions, Inspector, Target } from '../ground.ts';
import { openRawJson } from '../raw/json.ts';

export function jsonTarget(): Target {
  return {
    name: 'json',
    version: 'JSON files',
    open: openGround,
    fleet: noQueries,
    close: async () => undefined,
  };
}

async function openGround({ durability = 'full' }: GroundOptions = {}): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'kode-bench-'));
  const path = join(folder, 'store');
  const store = new JSONStore(path, { durability });
  const raw = openRawJson(join(folder, 'raw'));
  return {
    store,
    raw,
    inspect: inspector(path),
    extended: noQueries,
    another: noQueries,
    async close() {
      await raw.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function noQueries(): never {
  throw new Error('The JSON store has no queries.');
}

function inspector(folder: string): Inspector {
  const size = () => bytesIn(folder);
  const unknown = async () => {
    throw new Error('The JSON store has no such count.');
  };
  return { size, logged: size, countWrites: unknown, requests: () => 0, commits: unknown };
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
