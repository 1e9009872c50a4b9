import { sha256 } from '../model/crypto.ts';

const HASH_LENGTH = 16;
const NEWLINE = 10;
const SPACE = 32;

/**
 * The text of a line as 3.0.0-alpha.1 wrote it: the beginning of its SHA-256, a space, the text, a newline. Such
 * files are read as they are, and written anew in today's format when they are next written to.
 */
export function unframeOld(line: Buffer): string | undefined {
  if (line.length < HASH_LENGTH + 2 || line[line.length - 1] !== NEWLINE || line[HASH_LENGTH] !== SPACE) {
    return undefined;
  }
  const text = line.subarray(HASH_LENGTH + 1, -1);
  return line.toString('latin1', 0, HASH_LENGTH) === sha256(text).slice(0, HASH_LENGTH)
    ? text.toString()
    : undefined;
}
