import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { StoreBusyError, StoreUnavailableError } from '../errors.ts';
import { type Clock, sleep, type Timer } from '../model/clock.ts';
import { errorCode } from '../model/foreign.ts';
import { type Reading, readingOf } from '../model/lease-time.ts';
import type { Disk, Guard } from './disk.ts';
import { type Holder, parseHolder, thisProcess } from './holder.ts';
import { endOf, type LookOptions } from './lock-end.ts';
import { create, fenceIn, locks, newestLock } from './lock-files.ts';
import { thisPlace } from './place.ts';

/** How often a holder shows that it is alive: often enough for `DEAD_MS`. */
export const BEAT_MS = 2_000;
/** For so long after it last showed itself a holder needn't look whether it still has the lock. */
const FRESH_MS = 5_000;
/** For so long it needs no more than to show itself again: nobody can have concluded anything yet. */
const SURE_MS = 12_000;
const ATTEMPTS = 5;
const PAUSE_MS = 20;

/**
 * One process at a time. Each opening takes the next `lock.<generation>`; the newest one counts, and its
 * file stays when it is given back (as `.free`), so that two processes that find a dead one's lock at the
 * same moment ask for the same next file, which only one of them can create.
 *
 * Node has no locks of the operating system. A holder that can be seen is asked for by its process number. One that
 * can't, in another container or on another host, shows itself by its file's time, again and again; after a pause that
 * others may have taken for its end it keeps the lock only if it is itself the first to create the next file.
 */
export class StoreLock implements Guard {
  /** Rises with each opening of the store. */
  readonly generation: number;
  /**
   * Set if, at this opening or an earlier one, nobody saw the process end that had the folder before: it may be
   * paused, with files open. Each opening hands it on to the next, for there is no telling how long a pause lasts.
   */
  readonly fence: string | undefined;
  readonly #root: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #holder: Holder;
  readonly #loss = new AbortController();
  /** It rises when the lock is taken anew after a pause. */
  #current: number;
  /** Since when nobody else can have taken the lock. */
  #sureAt: Reading;
  #beat: Timer | undefined;
  #shown: number;
  #proving: Promise<void> | undefined;
  #released = false;

  private constructor(
    root: string,
    { disk, clock }: LookOptions,
    taken: { generation: number; holder: Holder; at: Reading },
  ) {
    this.#root = root;
    this.#disk = disk;
    this.#clock = clock;
    this.#holder = taken.holder;
    this.generation = taken.generation;
    this.fence = taken.holder.fence;
    this.#current = taken.generation;
    this.#sureAt = taken.at;
    this.#shown = clock.now();
    this.#beatLater();
  }

  static async acquire(root: string, options: LookOptions): Promise<StoreLock> {
    const { disk, clock, place = thisPlace() } = options;
    const self = thisProcess(clock.now(), place);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const newest = await newestLock(disk, root);
      const end = newest && !newest.free ? await endOf(root, newest, { ...options, place }) : 'seen';
      if (end === undefined) continue;
      const fence = end === 'concluded' ? self.id : newest && (await fenceIn(disk, root, newest));
      const holder = { ...self, ...(fence === undefined ? {} : { fence }) };
      const generation = (newest?.generation ?? 0) + 1;
      const at = readingOf(clock);
      if (await create(disk, join(root, `lock.${generation}`), holder)) {
        const lock = new StoreLock(root, options, { generation, holder, at });
        if (await lock.#settle()) return lock;
      }
      await sleep(clock, PAUSE_MS);
    }
    throw new StoreBusyError(
      `The folder "${root}" is being opened by several processes at this moment, and one at a time can use it. Try again, or share a database between processes (SqliteStore, PostgresStore).`,
    );
  }

  /** Aborted when another process has taken the lock. */
  get lost(): AbortSignal {
    return this.#loss.signal;
  }

  /** After a pause, at once: whether another process has taken the lock. */
  look(): void {
    if (!this.lost.aborted && !this.#isSure() && !existsSync(this.#path(this.#current))) this.#lose();
  }

  /** So lately that nobody else can have taken it. */
  get isFresh(): boolean {
    return !this.lost.aborted && this.#age() < FRESH_MS;
  }

  /** Throws if another process has taken the lock, or may be about to. */
  async check(): Promise<void> {
    if (!this.isFresh) await this.#proveOnce();
  }

  /** The same after a write: what it wrote may be there, or not. */
  async confirm(): Promise<void> {
    if (this.isFresh) return;
    try {
      await this.check();
    } catch (error) {
      throw new StoreUnavailableError(
        `While this process wrote to the folder "${this.#root}", another one took it over, so it isn't known whether the change was stored. Load the agent to see, or repeat the commit with its operationId.`,
        { cause: error, outcome: 'unknown' },
      );
    }
  }

  async release(): Promise<void> {
    this.#end();
    await this.#proving?.catch(() => undefined);
    if (this.lost.aborted || !(await this.#isOurs())) return;
    const path = this.#path(this.#current);
    try {
      await this.#disk.rename(path, `${path}.free`);
    } catch (error) {
      // Somebody removed the folder or the lock by hand: nothing is left to give back.
      if (errorCode(error) === 'ENOENT') return;
      // A full disk may refuse a name and still take one away.
      await this.#disk.unlink(path);
    }
  }

  /** As the process ends: there is no time for anything but this. */
  releaseNow(): void {
    this.#end();
    if (!this.isFresh) return;
    const path = this.#path(this.#current);
    try {
      renameSync(path, `${path}.free`);
    } catch {
      // It is found as that of a process that ended.
    }
  }

  #path(generation: number): string {
    return join(this.#root, `lock.${generation}`);
  }

  #isSure(): boolean {
    return this.#age() < SURE_MS;
  }

  /** The monotonic clock stands still while the machine sleeps, and the wall clock may be set back: the later one counts. */
  #age(): number {
    const { now, monotonic } = readingOf(this.#clock);
    return Math.max(monotonic - this.#sureAt.monotonic, now - this.#sureAt.now);
  }

  #end(): void {
    this.#released = true;
    this.#beat?.cancel();
  }

  #beatLater(): void {
    this.#beat = this.#clock.after(BEAT_MS, () => {
      const next = () => {
        if (!this.#released && !this.lost.aborted) this.#beatLater();
      };
      // What keeps it from writing the time now may have passed when it is due again, or before the next write.
      this.#proveOnce().then(next, next);
    });
  }

  #proveOnce(): Promise<void> {
    this.#proving ??= this.#prove().finally(() => {
      this.#proving = undefined;
    });
    return this.#proving;
  }

  /** Shows that this process is alive, and makes sure that the lock is its own. */
  async #prove(): Promise<void> {
    if (this.lost.aborted) throw this.#taken();
    const at = readingOf(this.#clock);
    if (this.#isSure()) {
      await this.#show();
      if (this.#isSure()) {
        this.#sureAt = at;
        return;
      }
    }
    await this.#takeAnew(at);
  }

  /** Needs neither space nor a free place for an open file. */
  async #show(): Promise<void> {
    const path = this.#path(this.#current);
    // Another time than before, by however little the clock has moved and however coarse the file system's times are.
    this.#shown = Math.max(this.#clock.now(), this.#shown + 2_000);
    try {
      await this.#disk.touch(path, this.#shown);
    } catch (error) {
      throw errorCode(error) === 'ENOENT' ? this.#lose() : error;
    }
    if (!(await this.#isOurs())) throw this.#lose();
  }

  /** False if the lock was removed by hand, and another process has made one of the same name. */
  async #isOurs(): Promise<boolean> {
    try {
      return (await this.#idIn(this.#path(this.#current))) === this.#holder.id;
    } catch (error) {
      if (['EMFILE', 'ENFILE'].includes(errorCode(error) ?? '')) return true;
      throw error;
    }
  }

  async #idIn(path: string): Promise<string | undefined> {
    return parseHolder((await this.#disk.read(path))?.toString() ?? '')?.id;
  }

  /** After a pause: whoever concluded from it that this process is gone asks for the same next file. */
  async #takeAnew(at: Reading): Promise<void> {
    const before = this.#current;
    const next = this.#path(before + 1);
    const created = await create(this.#disk, next, this.#holder);
    // It may be one that an attempt before this one couldn't take back.
    if (!created && (await this.#idIn(next)) !== this.#holder.id) throw this.#lose();
    this.#current = before + 1;
    try {
      if (!(await this.#replacesOthers(before))) throw this.#lose();
    } catch (error) {
      this.#current = before;
      await this.#disk.unlink(next).catch(() => undefined);
      throw error;
    }
    this.#sureAt = at;
  }

  /** Makes a lock that was just created the one that counts, or takes it back: the one before still counts then. */
  async #settle(): Promise<boolean> {
    let counts = false;
    try {
      counts = await this.#replacesOthers();
    } finally {
      if (!counts) {
        this.#end();
        // By its name alone, whatever else is used up.
        await this.#disk.unlink(this.#path(this.#current)).catch(() => undefined);
      }
    }
    return counts;
  }

  /**
   * Whoever looked long ago may have created a file that others have left behind: that one doesn't count. Nor does one
   * that goes on from a lock that is gone.
   */
  async #replacesOthers(mustBeThere?: number): Promise<boolean> {
    const all = await locks(this.#disk, this.#root);
    const others = all.filter(({ generation, free }) => free || generation !== this.#current);
    if (others.some(({ generation }) => generation >= this.#current)) return false;
    const isThere = others.some(({ generation, free }) => !free && generation === mustBeThere);
    if (mustBeThere !== undefined && !isThere) return false;
    const [last, ...older] = others.sort((a, b) => b.generation - a.generation);
    // Until this is done, that one counts as well.
    if (last) await this.#disk.unlink(join(this.#root, last.name));
    for (const { name } of older) await this.#disk.unlink(join(this.#root, name)).catch(() => undefined);
    return true;
  }

  #lose(): StoreBusyError {
    this.#end();
    const taken = this.#taken();
    this.#loss.abort(taken);
    return taken;
  }

  #taken(): StoreBusyError {
    return new StoreBusyError(
      `The folder "${this.#root}" was taken over by another process while this one stood still, or its lock was removed. Nothing of this call was stored. One process at a time can use the folder: close the store there, or share a database between processes (SqliteStore, PostgresStore).`,
    );
  }
}
