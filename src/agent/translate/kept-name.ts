import { sha256 } from '../../model/crypto.ts';
import { MAX_CALL_NAME_BYTES } from '../../model/ids.ts';

/**
 * A call's id, or a tool's name, as it is kept: as it came, up to 64 KB. Of a longer one a digest is kept, in
 * the call and in its result alike, and in a form that every provider takes back.
 */
export function keptName(kind: 'call' | 'tool', name: string): string {
  return isTooLong(name) ? `${kind}_${sha256(JSON.stringify(name), 'base64url')}` : name;
}

export function isTooLong(name: unknown): boolean {
  if (typeof name !== 'string' || name.length * 3 <= MAX_CALL_NAME_BYTES) return false;
  return Buffer.byteLength(name) > MAX_CALL_NAME_BYTES;
}
