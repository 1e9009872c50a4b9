import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { encodeName } from '../../src/json/paths.ts';
import { JSONStore } from '../../src/json/store.ts';
import type { JSONStoreOptions } from '../../src/store/config.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

export interface Workspace {
  /** The store's folder; it doesn't exist yet. */
  root: string;
  /** The folder around it, otherwise empty. */
  outside: string;
  open(options?: JSONStoreOptions): JSONStore;
  /** Closes the open stores and opens one anew. */
  reopen(): Promise<JSONStore>;
  /** The path of an agent's log. */
  logOf(agentId: string): Promise<string>;
}

/** Call it at the top level of a test file: stores are closed and folders removed after each test. */
export function workspaces(): () => Promise<Workspace> {
  const directories: string[] = [];
  const stores: JSONStore[] = [];
  const closeAll = async () => {
    for (const store of stores.splice(0)) await store.close();
  };
  afterEach(async () => {
    await closeAll();
    for (const directory of directories.splice(0)) await removeDirectory(directory);
  });
  return async () => {
    const outside = await makeTemporaryDirectory();
    directories.push(outside);
    const root = join(outside, 'store');
    const open = (options?: JSONStoreOptions) => {
      const store = new JSONStore(root, options);
      stores.push(store);
      return store;
    };
    return {
      root,
      outside,
      open,
      async reopen() {
        await closeAll();
        return open();
      },
      async logOf(agentId) {
        const directory = join(root, 'agents', encodeName(agentId));
        const name = (await readdir(directory)).find((file) => file.startsWith('log-'));
        if (!name) throw new Error(`agent "${agentId}" has no log`);
        return join(directory, name);
      },
    };
  };
}

/** Every file below a folder, with its size. */
export async function filesIn(root: string): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  for (const name of await readdir(root, { recursive: true })) {
    const path = join(root, name);
    const info = await stat(path);
    if (info.isFile()) files.set(name.replaceAll('\\', '/'), info.size);
  }
  return files;
}

/** What is left in the store's own folders, but for those that an opening has for itself. */
export async function leftIn(root: string, folders = ['agents', 'temporary', 'trash']): Promise<string[]> {
  const left: string[] = [];
  for (const folder of folders) {
    for (const name of await readdir(join(root, folder), { recursive: true })) {
      if (!/^\d+$/.test(name)) left.push(`${folder}/${name}`);
    }
  }
  return left;
}

/** All bytes below a folder, locks and folders themselves aside. */
export async function bytesIn(root: string): Promise<number> {
  let bytes = 0;
  for (const [name, size] of await filesIn(root)) if (!name.startsWith('lock.')) bytes += size;
  return bytes;
}

/** The offset of each line of a file, and its end. */
export async function linesOf(path: string): Promise<{ bytes: Buffer; starts: number[] }> {
  const bytes = await readFile(path);
  const starts = [0];
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
  return { bytes, starts };
}
