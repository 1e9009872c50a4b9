import { readFileSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreBusyError } from '../errors.ts';
import { errorCode } from './file-errors.ts';

interface Holder {
  pid: number;
  host: string;
  /** When the process began, as far as the system tells: a number given out again is another process. */
  started: string;
  since: string;
}

interface Found {
  name: string;
  generation: number;
  free: boolean;
}

const NAME = /^lock\.(\d{1,15})(\.free)?$/;
const ATTEMPTS = 5;
const PAUSE_MS = 20;
/** A lock file without a holder's name is being written, unless it is as old as this. */
const WRITING_MS = 10_000;

/**
 * One process at a time. Each opening takes the next `lock.<generation>`; the newest one counts, and its
 * file stays when it is given back (as `.free`), so that two processes that find a dead one's lock at the
 * same moment ask for the same next file, which only one of them can create.
 */
export class StoreLock {
  /** Rises with each opening of the store. */
  readonly generation: number;
  /** The process before this one ended without giving the lock back. */
  readonly afterCrash: boolean;
  readonly #path: string;

  private constructor(path: string, generation: number, afterCrash: boolean) {
    this.#path = path;
    this.generation = generation;
    this.afterCrash = afterCrash;
  }

  static async acquire(root: string): Promise<StoreLock> {
    const holder = thisProcess();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const newest = await newestLock(root);
      if (newest && !newest.free) await assertStale(root, newest);
      const generation = (newest?.generation ?? 0) + 1;
      const path = join(root, `lock.${generation}`);
      const taken = await create(path, holder);
      if (taken && (await isNewest(root, path, generation))) {
        return new StoreLock(path, generation, newest?.free === false);
      }
      await sleep(PAUSE_MS);
    }
    throw new StoreBusyError(
      `The folder "${root}" is being opened by several processes at this moment, and one at a time can use it. Try again, or share a database between processes (SqliteStore, PostgresStore).`,
    );
  }

  async release(): Promise<void> {
    try {
      await rename(this.#path, `${this.#path}.free`);
    } catch (error) {
      // Somebody removed the folder or the lock by hand: nothing is left to give back.
      if (errorCode(error) === 'ENOENT') return;
      // A full disk may refuse a name and still take one away.
      await unlink(this.#path);
    }
  }
}

async function locks(root: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const name of await readdir(root)) {
    const match = NAME.exec(name);
    if (match) found.push({ name, generation: Number(match[1]), free: match[2] !== undefined });
  }
  return found;
}

async function newestLock(root: string): Promise<Found | undefined> {
  let newest: Found | undefined;
  for (const lock of await locks(root)) {
    if (!newest || lock.generation > newest.generation) newest = lock;
  }
  return newest;
}

/** False when another one was faster. */
async function create(path: string, holder: Holder): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'wx');
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await handle.writeFile(`${JSON.stringify(holder)}\n`);
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  return true;
}

/** Whoever looked long ago may have created a file that others have left behind: that one doesn't count. */
async function isNewest(root: string, path: string, generation: number): Promise<boolean> {
  const others = (await locks(root)).filter((lock) => join(root, lock.name) !== path);
  const newest = others.every((lock) => lock.generation < generation);
  for (const name of newest ? others.map((lock) => join(root, lock.name)) : [path]) {
    await unlink(name).catch(() => undefined);
  }
  return newest;
}

/** Throws unless the process that took the lock is gone. */
async function assertStale(root: string, lock: Found): Promise<void> {
  const path = join(root, lock.name);
  let holder: Holder | undefined;
  try {
    holder = parseHolder(await readFile(path, 'utf8'));
    if (!holder && Date.now() - (await stat(path)).mtimeMs > WRITING_MS) return;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  if (holder && !isAlive(holder)) return;
  const who = holder
    ? `process ${holder.pid} on host "${holder.host}" since ${holder.since}`
    : 'another process that is just opening it';
  throw new StoreBusyError(
    `The folder "${root}" is in use by ${who}, and one process at a time can use it. Close the store there, use another folder, or share a database between processes (SqliteStore, PostgresStore). If that process is gone, remove "${path}".`,
  );
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder: Partial<Holder> | null = JSON.parse(text);
    if (typeof holder?.pid !== 'number' || typeof holder.host !== 'string') return undefined;
    const { pid, host, started = '', since = 'an unknown time' } = holder;
    return { pid, host, started, since };
  } catch {
    return undefined;
  }
}

function thisProcess(): Holder {
  return {
    pid: process.pid,
    host: hostname(),
    started: startOf(process.pid),
    since: new Date().toISOString(),
  };
}

/** Whether the process may still be there. About other hosts nothing is known. */
function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if (errorCode(error) === 'ESRCH') return false;
  }
  const started = startOf(holder.pid);
  return started === '' || holder.started === '' || started === holder.started;
}

/** Clock ticks from the system's start to the process's; empty where the system has no such file. */
function startOf(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in brackets, which may hold anything.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
