import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import type { JSONStore } from '../../src/json/store.ts';
import { errorCode } from '../../src/model/foreign.ts';
import { user } from '../../src/testing/samples.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();

/** The store, loaded as Jest loads a module: its globals are another realm's than those of Node's own modules. */
async function storeOfAnotherRealm(): Promise<typeof JSONStore> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/json/store.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    logLevel: 'warning',
  });
  const names = [
    'process',
    'Buffer',
    'performance',
    'setTimeout',
    'clearTimeout',
    'setImmediate',
    'AbortController',
    'AbortSignal',
    'Event',
    'EventTarget',
    'queueMicrotask',
    'TextEncoder',
    'structuredClone',
  ] as const;
  const globals = Object.fromEntries(names.map((name) => [name, globalThis[name]]));
  const module = { exports: {} as { JSONStore: typeof JSONStore } };
  const context = createContext({
    ...globals,
    module,
    exports: module.exports,
    require: createRequire(import.meta.url),
  });
  runInContext(outputFiles[0]?.text ?? '', context);
  expect(runInContext('Error', context)).not.toBe(Error);
  return module.exports.JSONStore;
}

describe('in another realm, as under Jest', () => {
  it('R2 a folder is made, used, opened again and reported missing', async () => {
    const { root } = await workspace();
    const Store = await storeOfAnotherRealm();
    const store = new Store(root);
    await store.commit('a', { info: {}, messages: [user('one')], expectedVersion: 0 });
    await store.saveDocument('a', { kind: 'compression', name: 'x', content: 1 });
    await store.saveMessages('a', [user('two')]);
    expect(await store.exists('nobody')).toBe(false);
    await expect(new Store(root).list()).rejects.toMatchObject({ code: 'STORE_BUSY' });
    await store.delete('a');
    await store.close();
    const file = fileURLToPath(import.meta.url);
    await expect(new Store(file).list()).rejects.toMatchObject({ code: 'STORE_CONFIG' });
    expect(await readFile(file, 'utf8')).toContain('R2');
  });

  it('R2 errors are known by their codes', () => {
    const error = runInContext("Object.assign(new Error('no'), { code: 'ENOENT' })", createContext());
    expect(error).not.toBeInstanceOf(Error);
    expect(errorCode(error)).toBe('ENOENT');
    for (const none of [undefined, null, 'ENOENT', {}, { code: 7 }]) expect(errorCode(none)).toBeUndefined();
  });
});
