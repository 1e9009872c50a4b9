import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const source = fileURLToPath(new URL('../../src', import.meta.url));
const nodeMajor = Number(process.versions.node.split('.')[0]);

/** Opens a store, and tells how that ended. */
const PROGRAM = `
import { createExtendedStore, StoreConfigError } from './src/index.ts';
try {
  const store = await createExtendedStore({ type: 'sqlite', dbPath: 'agents.db' });
  console.log('opened', (await store.list()).length);
  await store.close();
} catch (error) {
  console.log(error instanceof StoreConfigError ? 'refused' : 'failed', error.message);
}
`;

let project: string;

beforeEach(async () => {
  project = await makeTemporaryDirectory();
  await cp(source, join(project, 'src'), { recursive: true });
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(project, 'program.ts'), PROGRAM);
});

afterEach(() => removeDirectory(project));

/** Puts a package in place of better-sqlite3. */
async function install(version: string, code: string): Promise<void> {
  const folder = join(project, 'node_modules', 'better-sqlite3');
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'better-sqlite3', version, main: 'index.js' }),
  );
  await writeFile(join(folder, 'index.js'), code);
}

async function run(): Promise<string> {
  const child = startChild(pathToFileURL(join(project, 'program.ts')), { cwd: project, inPlace: true });
  return (await child.rest()).join('\n');
}

describe('the SQLite driver', () => {
  it('that is not installed: says which package to install', async () => {
    expect(await run()).toMatch(/^refused .*npm i better-sqlite3/);
  });

  it('that could not be built: says so', async () => {
    await install('12.11.1', `throw new Error('Could not locate the bindings file')`);
    expect(await run()).toMatch(/^refused .*could not be built.*npm i better-sqlite3/);
  });

  it('of a version that crashes this Node is refused before it is loaded', async () => {
    await install('13.2.0', `console.log('loaded'); throw new Error('as if it crashed')`);
    const said = await run();
    if (nodeMajor < 22) expect(said).toMatch(/^refused .*needs Node\.js 22.*npm i better-sqlite3@12/);
    else expect(said).toMatch(/^loaded/);
  });
});
