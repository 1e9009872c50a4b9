import type { Stats } from 'node:fs';
import {
  chmod,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreReadOnlyError } from '../errors.ts';
import { errorCode } from '../model/foreign.ts';
import type { Modes } from '../store/modes.ts';
import { outcomeUnknown } from './file-errors.ts';
import { type KeptFile, type OpenFiles, openFiles } from './open-files.ts';

const MOVE_ATTEMPTS = 20;
const MOVE_PAUSE_MS = 25;

/** Who is asked before anything is written. */
export interface Guard {
  /** Throws unless this process may still write here. */
  check(): Promise<void>;
  /** Throws unless nobody else could write here while this process wrote. */
  confirm(): Promise<void>;
  /** That it may was found out just now. */
  readonly isFresh: boolean;
}

/** The file system as one store uses it. Whatever is written is written through here. */
export class Disk {
  readonly #modes: Modes;
  readonly #guard: Guard | undefined;
  readonly #readOnly: string | undefined;
  readonly #files: OpenFiles;
  #writing = 0;
  #discarded = 0;

  /** `readOnly`: the folder that nothing is written to. */
  constructor(
    modes: Modes,
    { guard, readOnly, files = openFiles }: { guard?: Guard; readOnly?: string; files?: OpenFiles } = {},
  ) {
    this.#modes = modes;
    this.#guard = guard;
    this.#readOnly = readOnly;
    this.#files = files;
  }

  get readOnly(): boolean {
    return this.#readOnly !== undefined;
  }

  /** Throws where nothing may be written. */
  assertWritable(): void {
    if (this.#readOnly !== undefined) throw new StoreReadOnlyError(this.#readOnly);
  }

  /** Something is being written at this moment. */
  get writing(): boolean {
    return this.#writing > 0;
  }

  /** Undefined where there is no such file. */
  async reading<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T | undefined> {
    return orNothing(this.#files.with(path, 'r', work));
  }

  /** A whole file; undefined where there is none. */
  async read(path: string): Promise<Buffer | undefined> {
    return this.reading(path, (handle) => handle.readFile());
  }

  /** The names in a folder that must be there. */
  async names(directory: string): Promise<string[]> {
    return this.#files.during(() => readdir(directory));
  }

  /** The names in a folder; undefined if there is none. */
  async namesIn(directory: string): Promise<string[] | undefined> {
    return orNothing(this.names(directory));
  }

  async isFile(path: string): Promise<boolean> {
    return (await infoOf(path))?.isFile() === true;
  }

  /** The names of folders in a folder; none if it is none itself. */
  async foldersIn(path: string): Promise<string[]> {
    if ((await infoOf(path))?.isDirectory() !== true) return [];
    const entries = await this.#files.during(() => readdir(path, { withFileTypes: true }));
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  /** Tells one state of a file from another; undefined where there is none. */
  async versionOf(path: string): Promise<string | undefined> {
    const info = await infoOf(path);
    return info && `${info.ino} ${info.size} ${info.mtimeMs}`;
  }

  /** Which file has this name, and how long it is; undefined where there is none. */
  async placeOf(path: string): Promise<{ identity: string; size: number } | undefined> {
    const info = await infoOf(path);
    return info && { identity: `${info.dev} ${info.ino}`, size: info.size };
  }

  keepOpen(path: string, flags: 'r' | 'r+'): KeptFile {
    return this.#files.keep(path, flags);
  }

  /** Work that writes. */
  async guarded<T>(work: () => Promise<T>): Promise<T> {
    this.assertWritable();
    await this.#guard?.check();
    this.#writing += 1;
    try {
      return await work();
    } finally {
      this.#writing -= 1;
    }
  }

  /**
   * Work that writes to a file that is kept open. The file is opened before the lock is looked at: one that was
   * opened while this process had the folder is nobody else's, whenever the work goes on.
   */
  async writingTo<T>(file: KeptFile, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    for (;;) {
      const done = await this.guarded(() =>
        file.use(async (handle) =>
          // Opening it may have taken long.
          this.#guard?.isFresh === false ? undefined : { value: await work(handle) },
        ),
      );
      if (done) return done.value;
    }
  }

  /** Throws if this process may have lost the folder. */
  async check(): Promise<void> {
    await this.#guard?.check();
  }

  /** To be asked after a write and before somebody is told of it. */
  async confirm(): Promise<void> {
    await this.#guard?.confirm();
  }

  /** With the folders above it. True if it was not there. */
  async makeDirectory(path: string): Promise<boolean> {
    return this.guarded(async () => {
      const first = await mkdir(path, { recursive: true, mode: this.#modes.folder });
      if (first === undefined) return false;
      if (this.#modes.shared) await this.#share(path, first);
      return true;
    });
  }

  /** Writes a new file whole. It is on disk when this returns, but its name may not be: sync the folder. */
  async writeWhole(path: string, data: string | Buffer | Iterable<Buffer>): Promise<void> {
    await this.#write(path, 'w', async (handle) => {
      const pieces = typeof data === 'string' || Buffer.isBuffer(data) ? [data] : data;
      for (const piece of pieces) await handle.writeFile(piece);
      await handle.sync();
    });
  }

  /** The same for what a power cut may take. */
  async writeUnsynced(path: string, data: string | Buffer): Promise<void> {
    await this.#write(path, 'w', (handle) => handle.writeFile(data));
  }

  /** A new file; false if there is one of that name. */
  async writeNew(path: string, data: string): Promise<boolean> {
    let created = false;
    try {
      await this.#write(path, 'wx', async (handle) => {
        created = true;
        await handle.writeFile(data);
      });
      return true;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      if (created) await unlink(path).catch(() => undefined);
      throw error;
    }
  }

  /** A second name for a file; false if that name is taken, or the file is gone. */
  async link(path: string, name: string): Promise<boolean> {
    try {
      await this.guarded(() => link(path, name));
      return true;
    } catch (error) {
      if (['EEXIST', 'ENOENT'].includes(errorCode(error) ?? '')) return false;
      throw error;
    }
  }

  /** Gives a file another time. */
  async touch(path: string, time: number): Promise<void> {
    await this.guarded(() => utimes(path, new Date(time), new Date(time)));
  }

  /** Changes whenever a small file, or its time, does; undefined where there is none. */
  async signature(path: string): Promise<string | undefined> {
    // Opened, because network file systems remember for a while what they were told without that.
    return this.reading(path, async (handle) => {
      const { mtimeMs } = await handle.stat();
      return `${mtimeMs} ${await handle.readFile('utf8')}`;
    });
  }

  /** A copy of a file's first bytes, on disk when this returns, as a new file's contents are. */
  async copy(from: string, to: string, length: number): Promise<void> {
    await this.guarded(async () => {
      await copyFile(from, to);
      await this.#files.with(to, 'r+', async (handle) => {
        await handle.truncate(length);
        await handle.sync();
      });
    });
  }

  /** Makes created, renamed and removed names in a folder survive a power cut. */
  async syncDirectory(directory: string): Promise<void> {
    // Windows can't open folders; its file systems log such changes themselves.
    if (process.platform === 'win32') return;
    await this.#files.with(directory, 'r', (handle) => handle.sync());
  }

  /** Gives a file or folder another name, in one step. A file that is there already is replaced. */
  async move(from: string, to: string): Promise<void> {
    await this.rename(from, to);
    await this.#syncBoth(from, to);
  }

  /** The same for what is new in its place, or gone from there: a move that fails is undone, or its outcome unknown. */
  async moveOrNot(from: string, to: string): Promise<void> {
    await this.rename(from, to);
    try {
      await this.#syncBoth(from, to);
      await this.confirm();
    } catch (error) {
      const undone = this.move(to, from);
      throw await undone.then(
        () => error,
        () => outcomeUnknown(error, to),
      );
    }
  }

  /** The same for what needn't survive a power cut. */
  async rename(from: string, to: string): Promise<void> {
    await this.guarded(() => renamePatiently(from, to));
  }

  /** Removes a file by way of a folder that this process alone has, and that is gone once it lost the store. */
  async discard(path: string, trash: string): Promise<void> {
    this.#discarded += 1;
    const there = join(trash, `discarded-${this.#discarded}`);
    await this.rename(path, there);
    await unlink(there);
  }

  /** Nothing to do where there is no such file. */
  async unlink(path: string): Promise<void> {
    await this.guarded(() => orNothing(unlink(path)));
  }

  async removeTree(path: string): Promise<void> {
    await this.guarded(() => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  }

  /** An empty folder, whatever was in it before. */
  async emptyDirectory(path: string): Promise<void> {
    await this.makeDirectory(path);
    for (const name of (await this.namesIn(path)) ?? []) await this.removeTree(join(path, name));
  }

  async #syncBoth(from: string, to: string): Promise<void> {
    await this.syncDirectory(dirname(to));
    if (dirname(from) !== dirname(to)) await this.syncDirectory(dirname(from));
  }

  async #write(path: string, flags: string, work: (handle: FileHandle) => Promise<void>): Promise<void> {
    const { file, shared } = this.#modes;
    await this.guarded(() =>
      this.#files.with(
        path,
        flags,
        async (handle) => {
          if (shared) await handle.chmod(file);
          await work(handle);
        },
        file,
      ),
    );
  }

  /** What the umask took away from the new folders, from `first` down to `path`. */
  async #share(path: string, first: string): Promise<void> {
    for (let folder = path; ; folder = dirname(folder)) {
      await chmod(folder, this.#modes.folder);
      if (folder === first || folder === dirname(folder)) return;
    }
  }
}

async function infoOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

async function orNothing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function renamePatiently(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rename(from, to);
    } catch (error) {
      // On Windows a virus scanner or an indexer may hold a file open for a moment.
      const passing = ['EPERM', 'EACCES', 'EBUSY'].includes(errorCode(error) ?? '');
      if (process.platform !== 'win32' || !passing || attempt === MOVE_ATTEMPTS) throw error;
      await sleep(MOVE_PAUSE_MS);
    }
  }
}
