import type { FileHandle } from 'node:fs/promises';
import { CorruptDataError } from '../errors.ts';
import { crc32 } from './checksum.ts';
import { unframeOld } from './old-lines.ts';

/** How the lines of a file are written: 1 by 3.0.0-alpha.1, 2 by this code. */
export type Format = 1 | 2;
export const FORMAT: Format = 2;

const CHUNK_BYTES = 1 << 20;
/** To read what lies between costs less than to read twice. */
const MAX_GAP_BYTES = 16 << 10;
const NEWLINE = 10;
/** `["`, the checksum, and then what it covers. */
const OPENING = '["';
const SUM_END = OPENING.length + 8;
/** Of the number of bytes of a text. */
const MAX_DIGITS = 10;

/** A line's place in its file, its newline included. */
export interface Place {
  offset: number;
  length: number;
  /** The checksum of the line before it, which its own goes on from. */
  previous: number;
}

export interface Line extends Place {
  text: string;
}

export interface ScanResult {
  format: Format;
  /** Where the next line goes: right behind the last whole one. */
  end: number;
  /** The checksum of the last whole line. */
  sum: number;
  /** What is behind `end` is the piece of a line whose writing was cut off. */
  torn: boolean;
}

export interface Framed {
  bytes: Buffer;
  sum: number;
}

/**
 * A line as it is written: `["<checksum>",<bytes>,<text>]` and a newline, which is JSON of its own. The text is
 * JSON without a newline; `<bytes>` is its length, so that a line that lost its newline isn't taken for one that was
 * cut off. The checksum is of everything behind it, and goes on from that of the line before: a line that is
 * missing, repeated or of another file doesn't fit.
 */
export function frame(text: string, previous = 0): Framed {
  const length = Buffer.byteLength(text);
  const head = `${OPENING}00000000",${length},`;
  const bytes = Buffer.allocUnsafe(head.length + length + 2);
  bytes.write(head, 0, 'latin1');
  bytes.write(text, head.length);
  bytes.write(']\n', head.length + length, 'latin1');
  const sum = crc32(bytes.subarray(SUM_END, -1), previous);
  bytes.write(hex(sum), OPENING.length, 'latin1');
  return { bytes, sum };
}

/** The lines of a new file, as they are asked for: a few at a time, however many there are. */
export class NewLines implements Iterable<Buffer> {
  readonly #texts: Iterable<string>;
  #place: Place = { offset: 0, length: 0, previous: 0 };
  #sum = 0;

  constructor(texts: Iterable<string>) {
    this.#texts = texts;
  }

  /** Where the last line is that was asked for. */
  get last(): Place {
    return this.#place;
  }

  /** What a file that holds the lines so far would be read as. */
  get written(): ScanResult {
    return { format: FORMAT, end: this.#place.offset + this.#place.length, sum: this.#sum, torn: false };
  }

  *[Symbol.iterator](): Generator<Buffer> {
    let lines: Buffer[] = [];
    let bytes = 0;
    for (const text of this.#texts) {
      const line = this.#next(text);
      lines.push(line);
      bytes += line.length;
      if (bytes < CHUNK_BYTES) continue;
      yield Buffer.concat(lines);
      lines = [];
      bytes = 0;
    }
    if (lines.length > 0) yield Buffer.concat(lines);
  }

  #next(text: string): Buffer {
    const previous = this.#sum;
    const { bytes, sum } = frame(text, previous);
    this.#place = { offset: this.written.end, length: bytes.length, previous };
    this.#sum = sum;
    return bytes;
  }
}

/** The text and the checksum of one whole line; undefined if it isn't what was written. */
export function unframe(
  line: Buffer,
  previous = 0,
  format: Format = formatOf(line),
): { text: string; sum: number } | undefined {
  if (format === 1) {
    const text = unframeOld(line);
    return text === undefined ? undefined : { text, sum: 0 };
  }
  const announced = announcedBy(line);
  if (announced?.length !== line.length || line[line.length - 1] !== NEWLINE) return undefined;
  const sum = checksumOf(line, previous);
  return sum === undefined
    ? undefined
    : { text: line.toString('utf8', announced.textAt, line.length - 2), sum };
}

/**
 * Reads a file line by line until `onLine` returns false. Every write is one line: only what follows the last
 * newline can be the piece of one that was cut off. `end` leaves out what is behind it.
 */
export async function scanLines(
  handle: FileHandle,
  path: string,
  onLine: (line: Line) => boolean | undefined,
  { chunkBytes = CHUNK_BYTES, end }: { chunkBytes?: number; end?: number | undefined } = {},
): Promise<ScanResult> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  const begun: Buffer[] = [];
  let position = 0;
  const result: ScanResult = { format: FORMAT, end: 0, sum: 0, torn: false };
  for (;;) {
    const { bytesRead } = await handle.read(
      chunk,
      0,
      Math.min(chunkBytes, (end ?? Number.POSITIVE_INFINITY) - position),
      position,
    );
    if (bytesRead === 0) break;
    if (position === 0) result.format = formatOf(chunk);
    position += bytesRead;
    let start = 0;
    while (start < bytesRead) {
      const newline = chunk.subarray(0, bytesRead).indexOf(NEWLINE, start);
      if (newline === -1) break;
      const bytes = Buffer.concat([...begun.splice(0), chunk.subarray(start, newline + 1)]);
      const read = unframe(bytes, result.sum, result.format);
      if (!read) throw await damagedLine(handle, path, { offset: result.end, length: bytes.length });
      const place = { offset: result.end, length: bytes.length, previous: result.sum };
      if (onLine({ ...place, text: read.text }) === false) return result;
      result.end += bytes.length;
      result.sum = read.sum;
      start = newline + 1;
    }
    if (start < bytesRead) begun.push(Buffer.from(chunk.subarray(start, bytesRead)));
  }
  if (begun.length > 0) {
    if (result.format === FORMAT && lostItsNewline(Buffer.concat(begun), result.sum)) {
      throw damaged(path, result.end);
    }
    result.torn = true;
  }
  return result;
}

/** Reads lines again whose places are known, in the order in which they are asked for. */
export async function readLines(
  handle: FileHandle,
  path: string,
  places: readonly Place[],
  format: Format,
): Promise<string[]> {
  const texts: string[] = [];
  for (let from = 0; from < places.length; ) {
    const { to, offset, end } = together(places, from);
    const bytes = Buffer.allocUnsafe(end - offset);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
    for (const place of places.slice(from, to)) {
      const start = place.offset - offset;
      const line = bytes.subarray(start, start + place.length);
      const read = start + place.length <= bytesRead ? unframe(line, place.previous, format) : undefined;
      if (!read) throw damaged(path, place.offset);
      texts.push(read.text);
    }
    from = to;
  }
  return texts;
}

/** As many of the places from one on as lie close enough to be read at once, and where they do. */
function together(places: readonly Place[], from: number): { to: number; offset: number; end: number } {
  let to = from;
  let [offset, end] = [Number.POSITIVE_INFINITY, 0];
  for (; to < places.length; to += 1) {
    const { offset: begins, length } = places[to] as Place;
    const isFar = begins > end + MAX_GAP_BYTES || begins + length < offset - MAX_GAP_BYTES;
    if (to > from && (isFar || end - offset >= CHUNK_BYTES)) break;
    offset = Math.min(offset, begins);
    end = Math.max(end, begins + length);
  }
  return { to, offset, end };
}

export function damaged(path: string, offset: number, cause?: unknown): CorruptDataError {
  return new CorruptDataError(
    `The file "${path}" is damaged at byte ${offset}: what is there isn't what the store wrote. Restore the store's folder from a backup.`,
    { cause },
  );
}

export function missing(path: string): CorruptDataError {
  return new CorruptDataError(`The file "${path}" is missing. Restore the store's folder from a backup.`);
}

/** The last line may be one that was never acknowledged: a disk may write the end of it before its beginning. */
async function damagedLine(
  handle: FileHandle,
  path: string,
  { offset, length }: Pick<Place, 'offset' | 'length'>,
): Promise<CorruptDataError> {
  const { size } = await handle.stat();
  if (offset === 0 || size > offset + length) return damaged(path, offset);
  return new CorruptDataError(
    `The last line of the file "${path}", at byte ${offset}, is damaged: it isn't what the store wrote. Restore the store's folder from a backup. If power failed right when that line was written, it was never acknowledged: close the store and cut the file to its first ${offset} bytes, which gives up that commit and no other.`,
  );
}

/** Whether this is a whole line but for its newline. One that the file ends before, or a hole in it, was cut off. */
function lostItsNewline(rest: Buffer, previous: number): boolean {
  const length = announcedBy(rest)?.length;
  if (length === undefined || length > rest.length || rest[length - 1] === 0) return false;
  return checksumOf(rest.subarray(0, length), previous) !== undefined;
}

/** What a line's beginning says of its length. */
function announcedBy(line: Buffer): { textAt: number; length: number } | undefined {
  const match = /^",(\d+),/.exec(line.toString('latin1', SUM_END, SUM_END + MAX_DIGITS + 3));
  if (!match || line.toString('latin1', 0, OPENING.length) !== OPENING) return undefined;
  const textAt = SUM_END + match[0].length;
  return { textAt, length: textAt + Number(match[1]) + 2 };
}

/** Undefined if it isn't the one that stands in the line. */
function checksumOf(line: Buffer, previous: number): number | undefined {
  const sum = crc32(line.subarray(SUM_END, -1), previous);
  return line.toString('latin1', OPENING.length, SUM_END) === hex(sum) ? sum : undefined;
}

function formatOf(beginning: Buffer): Format {
  return beginning[0] === OPENING.charCodeAt(0) ? 2 : 1;
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}
