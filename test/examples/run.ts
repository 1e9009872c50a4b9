import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bundleOf, bundles } from '../support/bundle.ts';
import { onProcessExit } from '../support/exit-hooks.ts';

const root = new URL('../../', import.meta.url);

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  ended: Promise<Ended>;
  /** Resolves when it has printed a line that contains this; fails when it ends without. */
  printed(part: string): Promise<void>;
  kill(): void;
}

/** All that run as processes, of which some start others. */
const PROGRAMS = [
  'approval-across-processes',
  'chat-server',
  'coding-agent',
  'fork-and-compare',
  'own-loop',
  'quick-start',
  'tour',
  'tour/decide',
  'tour/process',
  'worker',
].map((name) => new URL(`examples/${name}.ts`, root));

/** An example as a program that begins at once. */
export async function exampleProgram(file: string): Promise<string> {
  return bundleOf(await bundles(...PROGRAMS), new URL(file, root));
}

/** Starts an example, or a script, in a process of its own, without the caller's keys and variables. */
export async function start(
  file: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Started> {
  const path = file.endsWith('.ts') ? await exampleProgram(file) : fileURLToPath(new URL(file, root));
  const child = spawn(process.execPath, [path, ...args], {
    cwd,
    env: { ...process.env, ANTHROPIC_API_KEY: '', OPENAI_API_KEY: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const read = once(reader, 'close');
  const stderr = text(child.stderr);
  const closed = once(child, 'close').finally(callOff);
  return {
    ended: Promise.all([closed, read, stderr]).then(([[code], , errors]) => ({
      code,
      stdout: lines.join('\n'),
      stderr: errors,
    })),
    printed: (part) =>
      new Promise((resolve, reject) => {
        const look = () => lines.some((line) => line.includes(part)) && resolve();
        reader.on('line', look).once('close', () => reject(new Error(`It never printed: ${part}`)));
        look();
      }),
    kill: () => child.kill('SIGKILL'),
  };
}

/** What it printed, once it has ended by itself and without an error. */
export async function outputOf(file: string, args: string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await (await start(file, args, cwd)).ended;
  if (code !== 0 || stderr !== '') throw new Error(`${file} ended with ${code}: ${stderr}\n${stdout}`);
  return stdout;
}

/** The processes that an output names. */
export function processesIn(output: string): number[] {
  return [...new Set([...output.matchAll(/\[process (\d+)\]/g)].map(([, pid]) => Number(pid)))];
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
