import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as source from '../src/index.ts';
import { makeTemporaryDirectory, removeDirectory } from './support/temporary.ts';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const main = join(dist, 'cli', 'main.js');
const ROOT = JSON.stringify(pathToFileURL(join(dist, 'index.js')).href);
const run = promisify(execFile);

let folder = '';
beforeAll(async () => {
  folder = await makeTemporaryDirectory();
});
afterAll(() => removeDirectory(folder));

/** What a program prints, as JSON. */
async function ask(program: string, ...options: string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, [...options, '--input-type=module', '-e', program], {
    cwd: folder,
  });
  return JSON.parse(stdout);
}

const asModule = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;

/** Says on its standard error what every import loads. */
const TELL = asModule(`
  import { writeSync } from 'node:fs';
  export function load(url, context, next) {
    writeSync(2, url + '\\n');
    return next(url, context);
  }`);
const LISTEN = asModule(`import { register } from 'node:module'; register(${JSON.stringify(TELL)});`);

async function loadedBy(program: string): Promise<string[]> {
  const options = ['--import', LISTEN, '--input-type=module', '-e', program];
  const { stderr } = await run(process.execPath, options, { cwd: folder });
  return stderr.split('\n').filter((url) => /^(file|node):/.test(url));
}

describe('importing the built root', () => {
  it('loads few files, and nothing that only a store or an agent at work needs', async () => {
    const loaded = await loadedBy(`import ${ROOT}`);
    const files = loaded.filter((url) => url.startsWith('file:'));
    expect(files.filter((url) => !url.startsWith(pathToFileURL(dist).href))).toEqual([]);
    expect(files.length).toBeGreaterThan(0);
    expect(files.length).toBeLessThanOrEqual(3);
    expect(loaded).not.toContain('node:crypto');
    expect(loaded).not.toContain('node:assert/strict');
  });

  it('would be seen to load a driver', async () => {
    const program = `import { createStore } from ${ROOT}; await createStore({ type: 'sqlite', dbPath: ':memory:' })`;
    expect(await loadedBy(program)).toContainEqual(expect.stringContaining('/better-sqlite3/'));
  });

  it('gives what the source gives, under the same names', async () => {
    const names = await ask(
      `import * as root from ${ROOT};
       console.log(JSON.stringify(Object.keys(root).sort().map((name) => [name, root[name].name])))`,
    );
    expect(names).toEqual(
      Object.keys(source)
        .sort()
        .map((name) => [name, name]),
    );
  });

  it('gives one class of each store, whoever makes it', async () => {
    const made = await ask(
      `import { createStore, JSONStore, SqliteStore } from ${ROOT};
       const sqlite = await createStore({ type: 'sqlite', dbPath: ':memory:' });
       const json = await createStore({ type: 'json', baseDir: 'json' });
       console.log(JSON.stringify([sqlite instanceof SqliteStore, json instanceof JSONStore]));
       await sqlite.close(); await json.close();`,
    );
    expect(made).toEqual([true, true]);
  });
});

describe('the build', () => {
  it('has the files that its code looks for beside itself', () => {
    const scripts = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.js'),
    );
    const named = scripts.flatMap((path) => {
      const code = readFileSync(join(dist, path), 'utf8');
      return [...code.matchAll(/new URL\("([^"]+)", import\.meta\.url\)/g)].map(([, file = '']) =>
        resolve(dist, path, '..', file),
      );
    });
    expect(named).toContain(resolve(dist, '..', 'package.json'));
    expect(named.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('has the thread that reads for others', () => {
    expect(existsSync(join(dist, 'reader-thread.js'))).toBe(true);
  });

  it('has every entry and declaration that the package names', () => {
    const { bin, exports } = JSON.parse(readFileSync(join(dist, '..', 'package.json'), 'utf8'));
    const { './package.json': itself, ...entries } = exports;
    const paths = [
      itself,
      bin.kode,
      ...Object.values<Record<string, string>>(entries).flatMap(Object.values),
    ];
    expect(paths.filter((path) => !existsSync(join(dist, '..', path)))).toEqual([]);
  });
});

describe('the built command', () => {
  it('can be run', async () => {
    if (process.platform !== 'win32') await access(main, constants.X_OK);
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    const { stdout } = await run(process.execPath, [main, '--version'], { cwd: folder });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('opens the store that it is told to, and explains what it refuses', async () => {
    const sqlite = { ...process.env, KODE_STORE_TYPE: 'sqlite', KODE_SQLITE_PATH: join(folder, 'cli.db') };
    const { stdout } = await run(process.execPath, [main, 'stats'], { cwd: folder, env: sqlite });
    expect(stdout).toContain('messages');
    const unknown = { ...process.env, KODE_STORE_TYPE: 'tape' };
    const failure = await run(process.execPath, [main, 'stats'], { cwd: folder, env: unknown }).catch(
      (error: { code: number; stderr: string }) => error,
    );
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringMatching(/^[^\n]*tape[^\n]*\n$/) });
  });
});
