import type { FileHandle } from 'node:fs/promises';
import { CorruptDataError } from '../errors.ts';
import { sha256 } from '../model/crypto.ts';

const CHUNK_BYTES = 1 << 20;
const HASH_LENGTH = 16;
const NEWLINE = 10;
const SPACE = 32;

/** A line's place in its file, its newline included. */
export interface Place {
  offset: number;
  length: number;
}

export interface Line extends Place {
  text: string;
}

export interface ScanResult {
  /** Where the next line goes: right behind the last good one. */
  end: number;
  /** What is behind `end` is the piece of a line whose writing was cut off. */
  torn: boolean;
}

/** A line as it is written: a hash of the text, the text, a newline. The text must hold no newline. */
export function frame(text: string): Buffer {
  return Buffer.from(`${hash(text)} ${text}\n`);
}

/** The text of one whole line; undefined if it isn't what was written. */
export function unframe(line: Buffer): string | undefined {
  if (line.length < HASH_LENGTH + 2 || line[line.length - 1] !== NEWLINE || line[HASH_LENGTH] !== SPACE) {
    return undefined;
  }
  const body = line.subarray(HASH_LENGTH + 1, -1);
  return line.toString('latin1', 0, HASH_LENGTH) === hash(body) ? body.toString() : undefined;
}

/**
 * Reads a file line by line until `onLine` returns false. Every write is one line, so only the very last
 * one can have been cut off by a crash: that one is left out. A bad line before others is damage.
 */
export async function scanLines(
  handle: FileHandle,
  path: string,
  onLine: (line: Line) => boolean | undefined,
  chunkBytes = CHUNK_BYTES,
): Promise<ScanResult> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  const begun: Buffer[] = [];
  let position = 0;
  let offset = 0;
  let bad: number | undefined;
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, position);
    if (bytesRead === 0) break;
    if (bad !== undefined) throw damaged(path, bad);
    position += bytesRead;
    let start = 0;
    while (start < bytesRead) {
      if (bad !== undefined) throw damaged(path, bad);
      const newline = chunk.subarray(0, bytesRead).indexOf(NEWLINE, start);
      if (newline === -1) break;
      const line = Buffer.concat([...begun.splice(0), chunk.subarray(start, newline + 1)]);
      const text = unframe(line);
      if (text === undefined) bad = offset;
      else if (onLine({ offset, length: line.length, text }) === false) return { end: offset, torn: false };
      if (bad === undefined) offset += line.length;
      start = newline + 1;
    }
    if (start < bytesRead) begun.push(Buffer.from(chunk.subarray(start, bytesRead)));
  }
  return { end: offset, torn: bad !== undefined || begun.length > 0 };
}

/** Reads a line again whose place is known. */
export async function readLine(handle: FileHandle, path: string, place: Place): Promise<string> {
  const line = Buffer.allocUnsafe(place.length);
  const { bytesRead } = await handle.read(line, 0, place.length, place.offset);
  const text = bytesRead === place.length ? unframe(line) : undefined;
  if (text === undefined) throw damaged(path, place.offset);
  return text;
}

export function damaged(path: string, offset: number, cause?: unknown): CorruptDataError {
  return new CorruptDataError(
    `The file "${path}" is damaged at byte ${offset}: what is there isn't what the store wrote. Restore the store's folder from a backup.`,
    { cause },
  );
}

function hash(text: string | Buffer): string {
  return sha256(text).slice(0, HASH_LENGTH);
}
