import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';

const LARGEST_FILE = 200_000;
const MOST_HITS = 100;
const OUTSIDE = 'Paths are relative, and stay within the work directory.';

/** What the system says of a file, without its place on this machine. */
const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a file is used like a directory',
  EISDIR: 'it is a directory',
  ELOOP: 'it is a link',
};

/**
 * A directory that no path leaves: no absolute path, no `..`, and no symbolic link that points outside,
 * whether it is the file itself or a directory on the way. It guards against a model's mistakes and against
 * what it was talked into, not against other programs that change links at the same moment: for those, give
 * the whole process a sandbox.
 */
export class WorkDirectory {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(path: string): Promise<WorkDirectory> {
    return new WorkDirectory(await realpath(path));
  }

  get path(): string {
    return this.#root;
  }

  /** Names in a directory: directories end with a slash. */
  list(path: string): Promise<string[]> {
    return this.#at(path, async (place) => {
      const entries = await readdir(place, { withFileTypes: true });
      return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
    });
  }

  read(path: string): Promise<string> {
    return this.#at(path, async (place) => {
      // It may have become a link meanwhile, or be a pipe that nobody writes to.
      const file = await open(place, constants.O_RDONLY | flag('O_NOFOLLOW') | flag('O_NONBLOCK'));
      try {
        const stats = await file.stat();
        if (stats.isDirectory()) throw new Error(`${path}: it is a directory.`);
        if (!stats.isFile()) throw new Error(`${path}: it is no file.`);
        if (stats.size > LARGEST_FILE) throw new Error(`${path}: it has ${stats.size} bytes, too many.`);
        return await file.readFile('utf8');
      } finally {
        await file.close();
      }
    });
  }

  /** Creates the file, and the directories on its way, or replaces what it holds. */
  write(path: string, content: string): Promise<void> {
    return this.#at(path, async (place) => {
      const old = await lstat(place).catch(missing);
      if (place === this.#root || old?.isDirectory()) throw new Error(`${path}: it is a directory.`);
      if (old !== undefined && !old.isFile()) throw new Error(`${path}: it is no file.`);
      const directory = dirname(place);
      await mkdir(directory, { recursive: true });
      if ((await realpath(directory)) !== directory) throw new Error(OUTSIDE);
      // A rename follows no link, and nobody ever sees half a file.
      const draft = join(directory, `.${basename(place)}.${randomUUID()}`);
      try {
        await writeFile(draft, content, { flag: 'wx', mode: old?.mode ?? 0o644 });
        await rename(draft, place);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    });
  }

  /** Lines that contain the text, as `path:line: content`. */
  async search(text: string): Promise<string[]> {
    const hits: string[] = [];
    for (const path of await this.#files('')) {
      const content = await this.read(path).catch(() => '');
      for (const [i, line] of content.split('\n').entries()) {
        if (line.includes(text)) hits.push(`${path}:${i + 1}: ${line.trim()}`);
        if (hits.length === MOST_HITS) return hits;
      }
    }
    return hits;
  }

  /** All files below a directory, without following links. */
  async #files(directory: string): Promise<string[]> {
    const entries = await readdir(join(this.#root, directory), { withFileTypes: true });
    const found = entries.map(async (entry) => {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isFile()) return [path];
      const skipped = entry.name === 'node_modules' || entry.name === '.git';
      return entry.isDirectory() && !skipped ? this.#files(path) : [];
    });
    return (await Promise.all(found)).flat().sort();
  }

  async #at<T>(path: string, work: (place: string) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#locate(path));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === undefined ? error : new Error(`${path}: ${REASONS[code] ?? code}.`);
    }
  }

  /** Where a path leads, link by link. What doesn't exist yet lies in a directory that was looked at. */
  async #locate(path: string): Promise<string> {
    const names = namesIn(path);
    let place = this.#root;
    for (const [i, name] of names.entries()) {
      const next = join(place, name);
      const stats = await lstat(next).catch(missing);
      if (stats === undefined) return join(place, ...names.slice(i));
      place = stats.isSymbolicLink() ? await this.#follow(next) : next;
    }
    return place;
  }

  async #follow(link: string): Promise<string> {
    // A link to nothing would let a new file be made outside.
    const target = await realpath(link).catch(missing);
    if (target === undefined) throw new Error(OUTSIDE);
    const way = relative(this.#root, target);
    if (way === '..' || way.startsWith(`..${sep}`) || join(this.#root, way) !== target) {
      throw new Error(OUTSIDE);
    }
    return target;
  }
}

/** Backslashes and drives are refused on every system. */
function namesIn(path: string): string[] {
  const names = path.split('/');
  if (path.startsWith('/') || /[\\\0]|^[a-z]:/i.test(path) || names.includes('..')) throw new Error(OUTSIDE);
  return names.filter((name) => name !== '' && name !== '.');
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** Not every system has it. */
function flag(name: 'O_NOFOLLOW' | 'O_NONBLOCK'): number {
  return constants[name] ?? 0;
}
