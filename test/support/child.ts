import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.ts';
import { onProcessExit } from './exit-hooks.ts';

const loader = import.meta.resolve('tsx');

export interface Child {
  /** The next line that it prints; undefined when it has ended. Fails if that was with an error. */
  line(): Promise<string | undefined>;
  /** All lines that are left, once it has ended by itself. Fails if it ended with an error. */
  rest(): Promise<string[]>;
  /** Ends it as a crash would: nothing of its own runs any more. */
  kill(): Promise<void>;
}

export interface ChildOptions {
  args?: readonly string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Runs the file itself, not its bundle: it finds the packages that are installed where it lies. */
  inPlace?: boolean;
}

/** Runs a TypeScript file in a process of its own: `startChild(new URL('./x.child.ts', import.meta.url))`. */
export function startChild(file: URL, options: ChildOptions = {}): Child {
  const starting = start(file, options);
  // Whoever asks for what it prints is told.
  starting.catch(() => undefined);
  return {
    async line() {
      const { lines, ended } = await starting;
      const next = await lines.next();
      if (!next.done) return next.value;
      await ended();
      return undefined;
    },
    async rest() {
      const { lines, ended } = await starting;
      const all: string[] = [];
      for (let next = await lines.next(); !next.done; next = await lines.next()) all.push(next.value);
      await ended();
      return all;
    },
    async kill() {
      const { kill } = await starting;
      await kill();
    },
  };
}

async function start(file: URL, { args = [], env = {}, cwd, inPlace = false }: ChildOptions) {
  const program = inPlace ? ['--import', loader, fileURLToPath(file)] : [await bundle(file)];
  const child = spawn(process.execPath, [...program, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const closed = once(child, 'close').finally(callOff);
  const errors = text(child.stderr);
  return {
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    /** Resolves once it has ended; fails if that was with an error, and not by a signal of ours. */
    async ended() {
      await closed;
      if (child.exitCode !== 0 && child.exitCode !== null) {
        throw new Error(`${file.pathname} ended with ${child.exitCode}: ${await errors}`);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
