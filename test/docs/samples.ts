import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onProcessExit } from '../support/exit-hooks.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const runner = fileURLToPath(new URL('./samples.child.ts', import.meta.url));
const loader = import.meta.resolve('tsx');

/** A sample, and what stands around it so that it is a program. */
export interface Sample {
  name: string;
  code: string;
  /** Names that its page takes for granted: see `surroundings`. Given where the sample has none of its own. */
  presupposes: readonly string[];
  /** Lines above it, for what else its page presupposes. */
  before?: string;
  /** Lines below it, which check what it did. */
  after?: string;
  env?: Record<string, string>;
}

/** A sample's failure by its name; a sample that ran has none. */
export type Failures = Record<string, string>;

/**
 * A folder in which samples are programs that have installed the package. Each sample is a module of its
 * own with a folder of its own, in which it runs.
 */
export async function layOut(folder: string, samples: readonly Sample[]): Promise<void> {
  const modules = join(folder, 'node_modules');
  const self = join(modules, '@shareai-lab', 'kode-sdk');
  await mkdir(self, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const entries = { '.': './index.ts', './testing': './testing.ts' };
  await writeFile(join(self, 'package.json'), JSON.stringify({ type: 'module', exports: entries }));
  await writeFile(join(self, 'index.ts'), "export * from 'kode-source/index.ts';\n");
  await writeFile(join(self, 'testing.ts'), "export * from 'kode-source/testing/index.ts';\n");
  await symlink(join(root, 'src'), join(modules, 'kode-source'), 'junction');
  await symlink(join(root, 'test', 'docs'), join(modules, 'kode-surroundings'), 'junction');
  for (const name of ['@types', 'ai', '@ai-sdk', 'better-sqlite3', 'pg', 'zod']) {
    await symlink(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  for (const [i, sample] of samples.entries()) {
    await mkdir(folderOf(folder, i));
    await writeFile(join(folderOf(folder, i), 'sample.ts'), programOf(sample));
  }
}

function folderOf(folder: string, index: number): string {
  return join(folder, `sample-${index}`);
}

function programOf({ code, presupposes, before, after }: Sample): string {
  const names = presupposes.filter((name) => uses(code, name) && !declares(code, name));
  const given =
    names.length === 0
      ? ''
      : `const { ${names.join(', ')} } = await (await import('kode-surroundings/surroundings.child.ts')).surroundings();`;
  return [before ?? '', given, code, after ?? '', 'export {};', ''].join('\n');
}

/** As a value: not as a property's name. */
function uses(code: string, name: string): boolean {
  return new RegExp(`(?<![.\\w'-])${name}\\b(?!\\s*\\??:|')|\\.\\.\\.${name}\\b`).test(code);
}

function declares(code: string, name: string): boolean {
  return new RegExp(`(?:const|let|using|import type|import)\\s+(?:\\{[^}]*)?\\b${name}\\b`).test(code);
}

/** Checks the types of all samples, with the compiler's strictness. Empty when there is nothing to say. */
export async function typeErrors(folder: string): Promise<string> {
  const { compilerOptions } = JSON.parse(await readFile(join(root, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: Record<string, unknown>;
  };
  const own = { typeRoots: ['./node_modules/@types'], rewriteRelativeImportExtensions: false };
  const config = { compilerOptions: { ...compilerOptions, ...own }, include: ['sample-*/sample.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const child = spawn(process.execPath, [compiler, '--pretty', 'false', '-p', '.'], { cwd: folder });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  callOff();
  return `${stdout}${stderr}`;
}

export interface SampleRun {
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs one sample as a program of its own, in its folder. */
export async function runSample(
  folder: string,
  index: number,
  env: Record<string, string>,
): Promise<SampleRun> {
  const child = spawn(process.execPath, ['--import', loader, 'sample.ts'], {
    cwd: folderOf(folder, index),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  callOff();
  return { signal: child.signalCode, stdout, stderr };
}

/** Runs all samples, one after the other, in a process of their own. */
export async function runSamples(
  folder: string,
  samples: readonly Sample[],
  env: Record<string, string>,
): Promise<Failures> {
  const results = join(folder, 'failures.json');
  const plan = samples.map(({ name, env: own = {} }, i) => ({
    name,
    folder: folderOf(folder, i),
    file: pathToFileURL(join(folderOf(folder, i), 'sample.ts')).href,
    env: own,
  }));
  await writeFile(join(folder, 'plan.json'), JSON.stringify(plan));
  const child = spawn(process.execPath, ['--import', loader, runner, join(folder, 'plan.json'), results], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const [errors] = await Promise.all([text(child.stderr), once(child, 'close')]);
  callOff();
  if (child.exitCode !== 0) throw new Error(`The samples' process ended with ${child.exitCode}: ${errors}`);
  return JSON.parse(await readFile(results, 'utf8')) as Failures;
}
