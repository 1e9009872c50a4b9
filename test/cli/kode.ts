import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { run } from '../../src/cli/program.ts';
import { bundle } from '../support/bundle.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url);

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  ended: Promise<Outcome>;
  kill(): void;
  /** Stops reading after the first piece of its output. */
  closeEarly(): Promise<Omit<Outcome, 'stdout'>>;
}

/** Begins a command line of its own process, in a folder and with variables of the test's choice. */
export async function startKode(
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Running> {
  const child = spawn(process.execPath, [await bundle(main), ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const errors = text(child.stderr);
  return {
    get ended() {
      return Promise.all([text(child.stdout), errors, closed]).then(([stdout, stderr]) => ({
        code: child.exitCode,
        stdout,
        stderr,
      }));
    },
    kill: () => child.kill('SIGKILL'),
    async closeEarly() {
      await Promise.race([once(child.stdout, 'data'), closed]);
      child.stdout.destroy();
      const [stderr] = await Promise.all([errors, closed]);
      return { code: child.exitCode, stderr };
    },
  };
}

/** Runs a command line in a process of its own. */
export async function spawnKode(args: string[], cwd: string, env?: Record<string, string>): Promise<Outcome> {
  return (await startKode(args, cwd, env)).ended;
}

/** Runs a command line in this process. Its paths have to be absolute. */
export async function kode(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const written = Promise.all([text(stdout), text(stderr)]);
  const code = await run(args, { stdout, stderr, env });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, stdout: out, stderr: err };
}

/** What the command prints with `--json`. */
export async function kodeJson<T>(args: string[], env?: Record<string, string>): Promise<T> {
  return parseOutput(args, await kode([...args, '--json'], env));
}

/** The same in a process of its own. */
export async function spawnKodeJson<T>(
  args: string[],
  cwd: string,
  env?: Record<string, string>,
): Promise<T> {
  return parseOutput(args, await spawnKode([...args, '--json'], cwd, env));
}

function parseOutput<T>(args: string[], { code, stdout, stderr }: Outcome): T {
  if (code !== 0) throw new Error(`kode ${args.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}
