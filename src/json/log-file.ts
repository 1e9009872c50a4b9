import { StoreUnavailableError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import type { Disk } from './disk.ts';
import { encodeLine } from './entry.ts';
import { outcomeUnknown } from './file-errors.ts';
import { type Format, frame, type Place, readLines, type ScanResult } from './lines.ts';
import type { KeptFile } from './open-files.ts';

export type Durability = 'full' | 'normal';

/** So much of a piece that a crash left behind is kept beside the log. */
export const MAX_TORN_BYTES = 1 << 20;

/** How often a store that writes looks whether a log is still in its place. A pause is longer. */
const LOOK_MS = 100;

/** An agent's log. Everything before `size` is known to be good; what may be behind it counts for nothing. */
export class LogFile {
  readonly path: string;
  readonly format: Format;
  readonly #disk: Disk;
  readonly #durability: Durability;
  readonly #file: KeptFile;
  #end: number;
  #sum: number;
  #torn: boolean;
  /** Something that was refused may be behind the end. */
  #refused: boolean;
  readonly #clock: Clock;
  /** Which file it is: what is written to one that was removed or replaced is gone when that is closed. */
  readonly #identity: string | undefined;
  /** When it was last seen in its place, by the monotonic clock. */
  #lookedAt: number;

  constructor(
    path: string,
    { format, end, sum, torn }: ScanResult,
    options: {
      disk: Disk;
      clock: Clock;
      durability: Durability;
      flags: 'r' | 'r+';
      /** Of the file that lies there now. */
      identity: string | undefined;
      refused?: boolean;
    },
  ) {
    this.path = path;
    this.format = format;
    this.#disk = options.disk;
    this.#durability = options.durability;
    this.#clock = options.clock;
    this.#identity = options.identity;
    this.#lookedAt = options.clock.monotonic();
    this.#file = options.disk.keepOpen(path, options.flags);
    this.#end = end;
    this.#sum = sum;
    this.#torn = torn;
    this.#refused = options.refused ?? false;
  }

  get size(): number {
    return this.#end;
  }

  /** A refused write couldn't be taken back, and must be before the next one. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Keeps the piece of a line that a crash left behind the last whole one beside the log, and cuts it off. */
  async cutTornTail(): Promise<void> {
    if (!this.#torn) return;
    const piece = await this.#file.use(async (handle) => {
      const { size } = await handle.stat();
      const bytes = Buffer.alloc(Math.min(size - this.#end, MAX_TORN_BYTES));
      await handle.read(bytes, 0, bytes.length, this.#end);
      return bytes;
    });
    await this.#disk.writeWhole(`${this.path}.torn`, piece);
    await this.#cut();
    this.#torn = false;
  }

  /** Writes entries as one line: after a crash all of them are there, or none. */
  async append(entries: readonly string[]): Promise<Place> {
    await this.settle();
    await this.#lookForFile();
    const { bytes, sum } = frame(encodeLine(entries), this.#sum);
    const place = { offset: this.#end, length: bytes.length, previous: this.#sum };
    try {
      await this.#disk.writingTo(this.#file, async (handle) => {
        this.#refused = true;
        for (let written = 0; written < bytes.length; ) {
          const left = bytes.length - written;
          written += (await handle.write(bytes, written, left, place.offset + written)).bytesWritten;
        }
        if (this.#durability === 'full') await handle.datasync();
      });
      await this.#disk.confirm();
    } catch (error) {
      // What was refused must not be there later.
      await this.settle().catch(() => undefined);
      throw this.#refused ? outcomeUnknown(error, this.path) : error;
    }
    this.#refused = false;
    this.#end += bytes.length;
    this.#sum = sum;
    return place;
  }

  /** Cuts off what was refused, if there is something. */
  async settle(): Promise<void> {
    if (!this.#refused) return;
    await this.#cut();
    this.#refused = false;
  }

  /** The texts of these lines; what lies close together is read at once. */
  read(places: readonly Place[]): Promise<string[]> {
    return this.#file.use((handle) => readLines(handle, this.path, places, this.format));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Throws if what is written now would be gone, or couldn't be read. */
  async #lookForFile(): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt < LOOK_MS) return;
    const change = await this.#changeOfPlace();
    if (change !== undefined) {
      throw new StoreUnavailableError(
        `The file "${this.path}" was ${change} while this store had it open: nothing of this was stored. The next call reads what is there now. See what became of the file, and restore the store's folder from a backup where need be.`,
      );
    }
    this.#lookedAt = now;
  }

  async #changeOfPlace(): Promise<string | undefined> {
    const found = await this.#disk.placeOf(this.path);
    if (!found) return 'removed';
    if (found.identity !== this.#identity) return 'replaced by another file';
    return found.size < this.#end ? 'cut short' : undefined;
  }

  async #cut(): Promise<void> {
    await this.#disk.writingTo(this.#file, async (handle) => {
      await handle.truncate(this.#end);
      await handle.sync();
    });
  }
}
