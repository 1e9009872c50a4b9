import { type FileHandle, open } from 'node:fs/promises';
import { errorCode } from '../model/foreign.ts';

/** Files that the stores of this process have open at a time; whoever needs one more waits, or another is closed. */
export const MAX_OPEN_FILES = 128;

/**
 * The files that are open. Some are kept open between two uses, until their place is needed; nobody may open
 * another one while it uses one, or all would wait for each other.
 */
export class OpenFiles {
  readonly #limit: number;
  /** Open, or about to be. */
  #count = 0;
  #opened = 0;
  /** Kept open, and not in use. The one used longest ago comes first. */
  readonly #idle = new Set<KeptFile>();
  readonly #waiting: (() => void)[] = [];

  constructor(limit = MAX_OPEN_FILES) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#count;
  }

  /** Opens a file for one piece of work. */
  async with<T>(
    path: string,
    flags: string,
    work: (handle: FileHandle) => Promise<T>,
    mode?: number,
  ): Promise<T> {
    const handle = await this.open(path, flags, mode);
    try {
      return await work(handle);
    } finally {
      await this.close(handle);
    }
  }

  /** Work that opens one by itself for a moment, as reading a folder does. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await this.#patiently(work);
    } finally {
      this.#leave();
    }
  }

  /** A file that is opened when it is first used, and stays so. */
  keep(path: string, flags: string): KeptFile {
    return new KeptFile(this, path, flags);
  }

  /** For `with` and kept files: to be followed by `close`. */
  async open(path: string, flags: string, mode?: number): Promise<FileHandle> {
    await this.#enter();
    try {
      const handle = await this.#patiently(() => open(path, flags, mode));
      this.#opened += 1;
      return handle;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  async close(handle: FileHandle): Promise<void> {
    try {
      await handle.close();
    } finally {
      this.#opened -= 1;
      this.#leave();
    }
  }

  /** A kept file comes into use. */
  take(file: KeptFile): void {
    this.#idle.delete(file);
  }

  /** A kept file is in use no more. */
  async giveBack(file: KeptFile): Promise<void> {
    if (this.#waiting.length > 0) await file.close();
    else if (file.isOpen) this.#idle.add(file);
  }

  async #enter(): Promise<void> {
    while (this.#count >= this.#limit) {
      const [oldest] = this.#idle;
      if (oldest) await oldest.close();
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#count += 1;
  }

  #leave(): void {
    this.#count -= 1;
    this.#waiting.shift()?.();
  }

  /**
   * Where the process, or the system, has too many files open, those that are only kept give way, and those that are
   * in use are waited for.
   */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const tooMany = ['EMFILE', 'ENFILE'].includes(errorCode(error) ?? '');
        if (!tooMany || this.#opened === 0) throw error;
      }
      if (this.#idle.size === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else for (const file of [...this.#idle]) await file.close();
    }
  }
}

/** Used by one at a time. */
export class KeptFile {
  readonly #files: OpenFiles;
  readonly #path: string;
  readonly #flags: string;
  #handle: FileHandle | undefined;

  constructor(files: OpenFiles, path: string, flags: string) {
    this.#files = files;
    this.#path = path;
    this.#flags = flags;
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  async use<T>(work: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.#files.take(this);
    this.#handle ??= await this.#files.open(this.#path, this.#flags);
    try {
      return await work(this.#handle);
    } finally {
      await this.#files.giveBack(this);
    }
  }

  async close(): Promise<void> {
    this.#files.take(this);
    const handle = this.#handle;
    this.#handle = undefined;
    // What was written was synced, where it had to be: nothing depends on this.
    if (handle) await this.#files.close(handle).catch(() => undefined);
  }
}

/** One for all stores of the process, as its limit is. */
export const openFiles = new OpenFiles();
