import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onProcessExit, pause } from './exit-hooks.ts';
import type { PostgresBinaries, RunAs } from './postgres-binaries.ts';
import { serverEnvironment } from './postgres-binaries.ts';

export interface Launch {
  binaries: PostgresBinaries;
  /** Holds `data`; also the working directory. */
  base: string;
  user: RunAs;
  settings: Record<string, string>;
}

export interface PostgresProcess {
  /** Ends the server in order and waits until it has gone. */
  stop(): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 15_000;

/** Starts the server as a child, which signals can stop. Resolves when it accepts connections. */
export async function launchChild(launch: Launch): Promise<PostgresProcess> {
  const { base, binaries, user } = launch;
  const child = spawn(binaries.postgres, ['-D', 'data', ...settingArguments(launch.settings)], {
    ...user,
    cwd: base,
    env: serverEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Not 'exit': the last lines of the log come after it.
  const exited = once(child, 'close');
  const callOff = onProcessExit(() => {
    child.kill('SIGQUIT');
    waitUntilGone(base);
  });
  const log: string[] = [];
  const ready = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log.push(text);
      if (log.length > 50) log.shift();
      if (log.join('').includes('ready to accept connections')) resolve();
    });
  });
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const gone = await Promise.race([exited.then(() => true), delay(STOP_MS, false, { ref: false })]);
    if (!gone) {
      child.kill('SIGKILL');
      await exited;
    }
    callOff();
  };
  const failed = exited.then(() => 'it ended');
  const late = delay(START_MS, `it was not ready after ${START_MS} ms`, { ref: false });
  const problem = await Promise.race([ready, failed, late]).catch((error: unknown) => String(error));
  if (problem !== undefined) {
    if (child.pid === undefined) callOff();
    else await stop('SIGQUIT');
    throw new Error(`PostgreSQL could not be started: ${problem}\n${log.join('')}`);
  }
  return { stop: () => stop('SIGINT') };
}

/**
 * Starts the server through pg_ctl, which on Windows gives up an administrator's rights first (the server
 * refuses to run with them) and stands in for the signals that Windows lacks.
 */
export async function launchWithPgCtl(launch: Launch): Promise<PostgresProcess> {
  const { base, binaries, user } = launch;
  const options = { ...user, cwd: base, env: serverEnvironment(), stdio: 'ignore' } as const;
  const control = async (...args: string[]) => {
    const [code] = await once(spawn(binaries.pgCtl, [...args, '-D', 'data'], options), 'exit');
    return code === 0;
  };
  const settings = settingArguments(launch.settings).join(' ');
  const log = join(base, 'server.log');
  const wait = ['-w', '-t', String(START_MS / 1000)];
  const callOff = onProcessExit(() => {
    spawnSync(binaries.pgCtl, ['stop', '-D', 'data', '-m', 'immediate'], options);
  });
  if (!(await control('start', ...wait, '-l', 'server.log', '-o', settings))) {
    await control('stop', '-m', 'immediate');
    callOff();
    throw new Error(`PostgreSQL could not be started:\n${existsSync(log) ? readFileSync(log, 'utf8') : ''}`);
  }
  return {
    async stop() {
      if (!(await control('stop', ...wait, '-m', 'fast'))) await control('stop', ...wait, '-m', 'immediate');
      callOff();
    },
  };
}

function settingArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The server removes its pid file last. */
function waitUntilGone(base: string): void {
  for (let tries = 0; tries < 100 && existsSync(join(base, 'data', 'postmaster.pid')); tries += 1) {
    pause(20);
  }
}
