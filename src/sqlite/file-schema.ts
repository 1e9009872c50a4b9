import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isError } from '../model/foreign.ts';

/** A table, index, view or trigger of a SQLite file. */
export interface SchemaObject {
  readonly name: string;
  /** The text that made it. */
  readonly sql: string;
}

/** More than any program has; a damaged file may lead in circles. */
const MAX_PAGES = 100_000;
const MAX_TEXT_BYTES = 1_000_000;
/** Frames of a log that are looked at in one go: some 10 ms. A log has no limit of its own. */
const FRAMES_AT_ONCE = 4_096;
const MAGIC = 'SQLite format 3\0';
const LEAF = 0x0d;
const INTERIOR = 0x05;

/**
 * What a SQLite file consists of, read without SQLite: opening the database of another program would leave files
 * beside it, or move its write-ahead log into it. Undefined for what isn't understood: SQLite itself will say what
 * is wrong with it. See https://www.sqlite.org/fileformat2.html
 */
export async function readSchema(path: string): Promise<SchemaObject[] | undefined> {
  const file = openSync(path, 'r');
  let log: number | undefined;
  try {
    log = existsSync(`${path}-wal`) ? openSync(`${path}-wal`, 'r') : undefined;
    const inLog = log === undefined ? NOTHING : await committedPages(log);
    return objectsOf(new Pages(file, { file: log, pages: inLog }));
  } catch (error) {
    return notUnderstood(error);
  } finally {
    closeSync(file);
    if (log !== undefined) closeSync(log);
  }
}

/** The same as of the last checkpoint, without a look into the log, however long that is. */
export function readCheckpointedSchema(path: string): SchemaObject[] | undefined {
  const file = openSync(path, 'r');
  try {
    return objectsOf(new Pages(file, { file: undefined, pages: NOTHING }));
  } catch (error) {
    return notUnderstood(error);
  } finally {
    closeSync(file);
  }
}

function objectsOf(pages: Pages): SchemaObject[] {
  return pages.isEmpty ? [] : [...new SchemaReader(pages).objects()];
}

function notUnderstood(error: unknown): undefined {
  if (!isError(error) || error.name !== 'RangeError') throw error;
}

/** Of a write-ahead log: where the newest version of a page begins in it. */
type LoggedPages = ReadonlyMap<number, number>;

const NOTHING: LoggedPages = new Map();

/** The pages of a database as of the last commit: those in the log replace those in the file. */
class Pages {
  readonly size: number;
  readonly isEmpty: boolean;
  readonly #file: number;
  readonly #log: number | undefined;
  readonly #inLog: LoggedPages;

  constructor(file: number, log: { file: number | undefined; pages: LoggedPages }) {
    this.#file = file;
    this.#log = log.file;
    this.#inLog = log.pages;
    this.isEmpty = fstatSync(file).size === 0 && this.#inLog.size === 0;
    this.size = this.isEmpty ? 0 : this.#pageSize();
  }

  page(number: number): Buffer {
    const logged = this.#inLog.get(number);
    if (logged !== undefined && this.#log !== undefined) return read(this.#log, logged, this.size);
    return read(this.#file, (number - 1) * this.size, this.size);
  }

  #pageSize(): number {
    const logged = this.#inLog.get(1);
    const header =
      logged !== undefined && this.#log !== undefined
        ? read(this.#log, logged, 100)
        : read(this.#file, 0, 100);
    if (header.toString('latin1', 0, 16) !== MAGIC) throw new RangeError('This is no SQLite database');
    const size = header.readUInt16BE(16);
    return size === 1 ? 65_536 : Math.max(512, size);
  }
}

/** Frames of the log that the last commit, and those before it, have written. What comes later isn't committed. */
async function committedPages(log: number): Promise<LoggedPages> {
  const committed = new Map<number, number>();
  const { size } = fstatSync(log);
  if (size < 32) return committed;
  const header = read(log, 0, 32);
  const pageSize = header.readUInt32BE(8);
  if (pageSize < 512) return committed;
  let pending = new Map<number, number>();
  let seen = 0;
  for (let at = 32; at + 24 + pageSize <= size; at += 24 + pageSize) {
    seen += 1;
    if (seen % FRAMES_AT_ONCE === 0) await setImmediate();
    const frame = read(log, at, 24);
    // Frames with other salts are left of an earlier use of the log.
    if (!frame.subarray(8, 16).equals(header.subarray(16, 24))) break;
    pending.set(frame.readUInt32BE(0), at + 24);
    if (frame.readUInt32BE(4) === 0) continue;
    for (const [page, offset] of pending) committed.set(page, offset);
    pending = new Map();
  }
  return committed;
}

/** Reads the table of the schema, which begins on the first page. */
class SchemaReader {
  readonly #pages: Pages;
  /** Bytes of a page that hold anything. */
  readonly #usable: number;
  readonly #encoding: 'utf8' | 'utf16le' | 'utf16be';

  constructor(pages: Pages) {
    this.#pages = pages;
    const first = pages.page(1);
    this.#usable = pages.size - first.readUInt8(20);
    this.#encoding = (['utf8', 'utf16le', 'utf16be'] as const)[first.readUInt32BE(56) - 1] ?? 'utf8';
  }

  *objects(): Generator<SchemaObject> {
    const waiting = [1];
    for (let read = 0; waiting.length > 0; read += 1) {
      if (read > MAX_PAGES) throw new RangeError('The schema leads in circles');
      const number = waiting.pop() ?? 1;
      const page = this.#pages.page(number);
      const start = number === 1 ? 100 : 0;
      const kind = page.readUInt8(start);
      const cells = page.readUInt16BE(start + 3);
      if (kind !== LEAF && kind !== INTERIOR) throw new RangeError('This is no page of a table');
      if (kind === INTERIOR) waiting.push(page.readUInt32BE(start + 8));
      for (let n = 0; n < cells; n += 1) {
        const cell = page.readUInt16BE(start + (kind === LEAF ? 8 : 12) + 2 * n);
        if (kind === INTERIOR) waiting.push(page.readUInt32BE(cell));
        else yield this.#object(this.#payload(page, cell));
      }
    }
  }

  /** The columns are type, name, tbl_name, rootpage and sql. */
  #object(record: Buffer): SchemaObject {
    let [at, headerSize] = varint(record, 0);
    const values: string[] = [];
    let value = headerSize;
    while (at < headerSize) {
      const [next, type] = varint(record, at);
      at = next;
      const size = sizeOf(type);
      const isText = type >= 13 && type % 2 === 1;
      values.push(isText ? this.#text(record.subarray(value, value + size)) : '');
      value += size;
    }
    return { name: values[1] ?? '', sql: values[4] ?? '' };
  }

  #text(bytes: Buffer): string {
    if (this.#encoding === 'utf8') return bytes.toString('utf8');
    if (this.#encoding === 'utf16le') return bytes.toString('utf16le');
    return Buffer.from(bytes.subarray(0, bytes.length & ~1))
      .swap16()
      .toString('utf16le');
  }

  /** A record, with what of it lies on pages of its own. */
  #payload(page: Buffer, cell: number): Buffer {
    const [afterSize, size] = varint(page, cell);
    const [begin] = varint(page, afterSize);
    const most = this.#usable - 35;
    const least = Math.floor(((this.#usable - 12) * 32) / 255) - 23;
    const fitting = least + ((size - least) % (this.#usable - 4));
    const local = size <= most ? size : fitting <= most ? fitting : least;
    const parts = [page.subarray(begin, begin + local)];
    let left = Math.min(size, MAX_TEXT_BYTES) - local;
    for (let next = left > 0 ? page.readUInt32BE(begin + local) : 0; left > 0 && next !== 0; ) {
      const overflow = this.#pages.page(next);
      parts.push(overflow.subarray(4, 4 + Math.min(left, this.#usable - 4)));
      left -= this.#usable - 4;
      next = overflow.readUInt32BE(0);
    }
    return Buffer.concat(parts);
  }
}

/** Where a number of SQLite's variable length ends, and the number. */
function varint(bytes: Buffer, from: number): [next: number, value: number] {
  let value = 0;
  for (let n = 0; n < 8; n += 1) {
    const byte = bytes.readUInt8(from + n);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return [from + n + 1, value];
  }
  return [from + 9, value * 256 + bytes.readUInt8(from + 8)];
}

function sizeOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][type] ?? 0;
}

function read(file: number, from: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  if (readSync(file, bytes, 0, size, from) < size) throw new RangeError('The file ends too early');
  return bytes;
}
