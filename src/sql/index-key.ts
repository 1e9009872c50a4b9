import { sha256 } from '../model/crypto.ts';
import { parseJson } from '../model/stored-json.ts';

/**
 * Ids of calls and names of tools are any text, up to 64 KB, and columns with an index on them hold short ones
 * of well-formed Unicode without NUL. What doesn't fit is there as its digest, and in a column of its own as
 * exact JSON text. So does what looks like such a digest, so that none is taken for another text's.
 */
const MAX_BYTES = 255;
const DIGEST = /^sha256:[\w-]{43}$/;

/** What stands for a text in an indexed column: whoever looks for the text looks for this. */
export function indexKey(text: string): string {
  return fits(text) ? text : `sha256:${sha256(JSON.stringify(text), 'base64url')}`;
}

/** The text as JSON where its key isn't the text itself. */
export function longText(text: string): string | null {
  return fits(text) ? null : JSON.stringify(text);
}

/** The text of which these are the key and the JSON text. */
export function exactText(key: unknown, long: unknown): string {
  return long === null || long === undefined
    ? String(key)
    : (parseJson(long, () => `the text behind "${key}"`) as string);
}

/** Whether a key stands for another text. */
export function isDigest(key: string): boolean {
  return DIGEST.test(key);
}

function fits(text: string): boolean {
  // A UTF-16 unit is at most 3 bytes of UTF-8: short texts need no counting.
  if (text.length * 3 > MAX_BYTES && Buffer.byteLength(text) > MAX_BYTES) return false;
  return !text.includes('\u0000') && text.isWellFormed() && !DIGEST.test(text);
}
