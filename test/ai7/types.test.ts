import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { onProcessExit } from '../support/exit-hooks.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { AGENT_PROGRAM, STORE_PROGRAM } from './programs.ts';

// Programs of users, checked against the declarations of the built package.

const root = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 120_000;
/** What a program's folder has installed beside the package: a package's name, and the folder it lies in. */
type Installed = Record<string, string>;

const OLDER = join(root, 'node_modules');
const NEWER = join(root, 'test', 'ai7', 'node_modules');
const ALWAYS: Installed = { '@types/node': OLDER, '@types/pg': OLDER, pg: OLDER };
const sdkIn = (modules: string): Installed => ({
  ai: modules,
  '@ai-sdk/anthropic': modules,
  '@ai-sdk/openai': modules,
  zod: OLDER,
});

describe.each([
  ['ai 6', sdkIn(OLDER)],
  ['ai 7', sdkIn(NEWER)],
])('with %s', (_name, sdk) => {
  it(
    "an agent's program and one with its own loop have the types that they need",
    async () => {
      expect(await typeErrors(AGENT_PROGRAM, sdk, { skipLibCheck: true })).toBe('');
    },
    TIMEOUT_MS,
  );
});

describe('without the model SDK', () => {
  it(
    'a program that uses a store has all types, those of the package itself among them',
    async () => {
      expect(await typeErrors(STORE_PROGRAM, {}, { skipLibCheck: false })).toBe('');
    },
    TIMEOUT_MS,
  );

  it(
    'is really without it',
    async () => {
      const program = `${STORE_PROGRAM}\nimport { tool } from 'ai';`;
      const errors = await typeErrors(program, {}, { skipLibCheck: false });
      expect(errors).toMatch(/^program\.ts.*Cannot find module 'ai'/);
    },
    TIMEOUT_MS,
  );
});

/** What the compiler says of a program in a folder with these packages. */
async function typeErrors(program: string, installed: Installed, options: object): Promise<string> {
  const folder = await makeTemporaryDirectory();
  try {
    await layOut(folder, program, { ...ALWAYS, ...installed }, options);
    return await compile(folder);
  } finally {
    await removeDirectory(folder);
  }
}

async function layOut(folder: string, program: string, installed: Installed, options: object): Promise<void> {
  const modules = join(folder, 'node_modules');
  const self = join(modules, '@shareai-lab', 'kode-sdk');
  // A copy: the package must find its types from where it is installed.
  await cp(join(root, 'dist'), join(self, 'dist'), {
    recursive: true,
    filter: (path) => !/\.(js|map)$/.test(path),
  });
  await cp(join(root, 'package.json'), join(self, 'package.json'));
  for (const [name, from] of Object.entries(installed)) {
    await mkdir(join(modules, name, '..'), { recursive: true });
    await symlink(join(from, name), join(modules, name), 'junction');
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'program.ts'), program);
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    ...options,
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
}

async function compile(folder: string): Promise<string> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const child = spawn(process.execPath, [compiler, '--pretty', 'false', '-p', '.'], { cwd: folder });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  callOff();
  return `${stdout}${stderr}`;
}
