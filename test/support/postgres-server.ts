import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { onProcessExit, pause } from './exit-hooks.ts';
import type { PostgresBinaries, PostgresMajor, RunAs } from './postgres-binaries.ts';
import { prepareBinaries, serverEnvironment, serverUser } from './postgres-binaries.ts';
import type { Launch, PostgresProcess } from './postgres-process.ts';
import { launchChild, launchWithPgCtl } from './postgres-process.ts';
import { temporaryFolder } from './temporary.ts';

export interface PostgresServerOptions {
  major: PostgresMajor;
  /** An ICU locale such as `en-US` for the databases' default collation. Default: bytes (`C`). 18 only. */
  icuLocale?: string;
  /** Syncs to the disk as in production: for durability tests and benchmarks. Default false. */
  durable?: boolean;
  /** Demands this password of the user `postgres`. Default: nobody needs one. */
  password?: string;
  /** Further settings, such as `{ max_connections: '10' }`. Values have no blanks. */
  settings?: Record<string, string>;
}

export interface PostgresServer {
  /** Everything of the server; its database is in `data`. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Connects to the database `postgres`. */
  readonly url: string;
  urlOf(database: string): string;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const USER = 'postgres';
const PORT_TRIES = 5;
const REMOVE_TRIES = 40;
const WITHOUT_SYNC = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // The log of a server whose files are in memory is in memory, too.
  max_wal_size: '256MB',
};

/** Starts a PostgreSQL of its own in a temporary folder, on a free port of the loopback interface. */
export async function startPostgres(options: PostgresServerOptions): Promise<PostgresServer> {
  const user = serverUser();
  // What syncs is to sync to a disk.
  const parent = options.durable ? tmpdir() : temporaryFolder();
  const base = mkdtempSync(join(parent, `kode-pg${options.major}-`));
  const removeBase = () => removePersistently(base);
  const callOff = onProcessExit(removeBase);
  const cleanUp = () => {
    removeBase();
    callOff();
  };
  try {
    if (user.uid !== undefined && user.gid !== undefined) chownSync(base, user.uid, user.gid);
    const binaries = prepareBinaries(options.major, base, user);
    initialise(binaries, base, user, options);
    const { port, running } = await launchOnFreePort({ binaries, base, user, settings: settingsOf(options) });
    return describeServer(base, port, options.password, async () => {
      await running.stop();
      cleanUp();
    });
  } catch (error) {
    cleanUp();
    throw error;
  }
}

/** A server that is being killed may still write a file while its folder is emptied. */
function removePersistently(folder: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if (tries === REMOVE_TRIES) throw error;
      pause(50);
    }
  }
}

function initialise(
  binaries: PostgresBinaries,
  base: string,
  user: RunAs,
  { icuLocale, password }: PostgresServerOptions,
): void {
  const args = ['-D', 'data', '-U', USER, '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  if (icuLocale !== undefined) args.push('--locale-provider=icu', `--icu-locale=${icuLocale}`);
  const passwordFile = join(base, 'password');
  if (password === undefined) args.push('-A', 'trust');
  else {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    if (user.uid !== undefined && user.gid !== undefined) chownSync(passwordFile, user.uid, user.gid);
    args.push('-A', 'scram-sha-256', '--pwfile=password');
  }
  const result = spawnSync(binaries.initdb, args, {
    ...user,
    cwd: base,
    env: serverEnvironment(),
    encoding: 'utf8',
  });
  rmSync(passwordFile, { force: true });
  if (result.status === 0) return;
  throw new Error(`initdb failed: ${result.error?.message ?? `${result.stdout}\n${result.stderr}`}`);
}

function settingsOf({ durable = false, settings }: PostgresServerOptions): Record<string, string> {
  return {
    listen_addresses: HOST,
    unix_socket_directories: '',
    // Failing statements are part of the tests; only the server's own messages matter here.
    log_min_messages: 'log',
    log_checkpoints: 'off',
    ...(durable ? {} : WITHOUT_SYNC),
    ...settings,
  };
}

/** A port that is free now may be taken a moment later: then another one is tried. */
async function launchOnFreePort(launch: Launch): Promise<{ port: number; running: PostgresProcess }> {
  const start = platform() === 'win32' ? launchWithPgCtl : launchChild;
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    try {
      const running = await start({ ...launch, settings: { ...launch.settings, port: String(port) } });
      return { port, running };
    } catch (error) {
      const taken = error instanceof Error && error.message.includes('could not bind');
      if (!taken || tries === PORT_TRIES) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave out no port.');
  return address.port;
}

function describeServer(
  folder: string,
  port: number,
  password: string | undefined,
  stop: () => Promise<void>,
): PostgresServer {
  const login = password === undefined ? USER : `${USER}:${encodeURIComponent(password)}`;
  const urlOf = (database: string) => `postgres://${login}@${HOST}:${port}/${encodeURIComponent(database)}`;
  let stopped: Promise<void> | undefined;
  return {
    folder,
    host: HOST,
    port,
    user: USER,
    url: urlOf('postgres'),
    urlOf,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
