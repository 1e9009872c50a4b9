import { type FileHandle, open } from 'node:fs/promises';
import { encodeLine } from './entry.ts';
import { frame, type Place, readLine } from './lines.ts';

export type Durability = 'full' | 'normal';

/** An agent's log, open for appending. Everything before `end` is known to be good. */
export class LogFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #durability: Durability;
  #end: number;

  constructor(path: string, handle: FileHandle, end: number, durability: Durability) {
    this.path = path;
    this.#handle = handle;
    this.#end = end;
    this.#durability = durability;
  }

  static async open(path: string, end: number, durability: Durability): Promise<LogFile> {
    return new LogFile(path, await open(path, 'r+'), end, durability);
  }

  get size(): number {
    return this.#end;
  }

  /** Removes the piece of a line that a crash left behind the last good one. */
  async dropTornTail(): Promise<void> {
    await this.#handle.truncate(this.#end);
    await this.#handle.sync();
  }

  /** Writes entries as one line: after a crash all of them are there, or none. */
  async append(entries: readonly string[]): Promise<Place> {
    const line = frame(encodeLine(entries));
    const place = { offset: this.#end, length: line.length };
    try {
      let written = 0;
      while (written < line.length) {
        const { bytesWritten } = await this.#handle.write(
          line,
          written,
          line.length - written,
          place.offset + written,
        );
        written += bytesWritten;
      }
      if (this.#durability === 'full') await this.#handle.datasync();
    } catch (error) {
      // What was refused must not be there later. If even this fails, the next opening drops the piece.
      await this.#handle.truncate(this.#end).catch(() => undefined);
      throw error;
    }
    this.#end += line.length;
    return place;
  }

  read(place: Place): Promise<string> {
    return readLine(this.#handle, this.path, place);
  }

  /** Whatever the durability: for what other files rely on. */
  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
