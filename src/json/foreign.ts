import { join } from 'node:path';
import { StoreConfigError } from '../errors.ts';
import type { Disk } from './disk.ts';

/** What an agent of KODE SDK 2.7 has in its folder. */
const FILES_OF_AN_AGENT = [
  ['meta.json'],
  ['runtime', 'messages.json'],
  ['runtime', 'messages.wal'],
  ['runtime', 'tool-calls.json'],
  ['runtime', 'todos.json'],
] as const;
const POOL = '__pool_meta__';
/** Forks lie in their parent's folder there, which may be all that is left of it. */
const FORK = /^fork-\d+$/;

/**
 * Refuses the folder of a JSONStore of KODE SDK 2.7, in which our folders would look like agents to that version.
 * Asked of folders that aren't a store's yet, before anything is written there.
 */
export async function refuseForeign(root: string, disk: Disk): Promise<void> {
  const found = await findAgent(root, disk);
  if (found === undefined) return;
  throw new StoreConfigError(
    `baseDir: "${root}" is the folder of a JSONStore of KODE SDK 2.7 ("${found}" is an agent's). This version keeps its data in another form: choose another folder for it. "kode migrate", which takes the agents over, comes with a later version. Nothing was changed.`,
  );
}

async function findAgent(root: string, disk: Disk): Promise<string | undefined> {
  for (const name of (await disk.namesIn(root)) ?? []) {
    const folder = join(root, name);
    if (name === POOL || (await isAgent(folder, disk))) return folder;
    for (const inner of await disk.foldersIn(folder)) {
      if (FORK.test(inner) && (await isAgent(join(folder, inner), disk))) return join(folder, inner);
    }
  }
  return undefined;
}

async function isAgent(folder: string, disk: Disk): Promise<boolean> {
  for (const parts of FILES_OF_AN_AGENT) if (await disk.isFile(join(folder, ...parts))) return true;
  return false;
}
