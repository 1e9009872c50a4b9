import { ValidationError } from '../errors.ts';
import { describe } from '../model/ids.ts';

export type MetadataScalar = string | number | boolean | null;

/** A scalar that must be at a path, given as the keys that lead to it. */
export interface MetadataMatch {
  path: readonly string[];
  value: MetadataScalar;
}

/** Longer paths and values (as JSON text) aren't indexed, so a filter for one is refused. */
export const MAX_METADATA_TEXT = 1_000;
/** Each is a condition of the statement, whose depth SQLite limits to a thousand. */
export const MAX_METADATA_PATHS = 100;

export function metadataMatches(field: string, value: unknown): MetadataMatch[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError(field, `must be an object of paths and values, not ${describe(value)}`);
  }
  const matches: MetadataMatch[] = [];
  if (Object.keys(value).length > MAX_METADATA_PATHS) {
    throw new ValidationError(field, `has more than ${MAX_METADATA_PATHS} paths; filter by fewer of them`);
  }
  for (const [path, wanted] of Object.entries(value)) {
    if (wanted === undefined) continue;
    const where = `${field}.${path}`;
    matches.push({ path: splitPath(where, path), value: checkScalar(where, wanted) });
  }
  return matches;
}

/** `customer.tier` is two keys; a dot or a backslash within a key has a backslash before it. */
function splitPath(field: string, path: string): string[] {
  checkString(field, path);
  const keys: string[] = [];
  let key = '';
  for (let i = 0; i < path.length; i += 1) {
    const char = path.charAt(i);
    if (char === '.') {
      keys.push(key);
      key = '';
    } else if (char === '\\') {
      i += 1;
      const escaped = path.charAt(i);
      if (escaped !== '.' && escaped !== '\\') {
        throw new ValidationError(
          field,
          'has a backslash that escapes nothing: write "\\\\" for a backslash',
        );
      }
      key += escaped;
    } else {
      key += char;
    }
  }
  keys.push(key);
  if (keys.includes('')) {
    throw new ValidationError(field, 'has an empty key in its path: write "\\." for a dot within a key');
  }
  if (joinPath(keys).length > MAX_METADATA_TEXT) throw tooLong(field, 'a path');
  return keys;
}

/** The one way to write a path. */
export function joinPath(keys: readonly string[]): string {
  return keys.map((key) => key.replace(/[\\.]/g, '\\$&')).join('.');
}

function checkScalar(field: string, value: unknown): MetadataScalar {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'string') {
    checkString(field, value);
    if (JSON.stringify(value).length > MAX_METADATA_TEXT) throw tooLong(field, 'a string');
    return value;
  }
  const given = typeof value === 'number' ? String(value) : describe(value);
  throw new ValidationError(field, `must be a string, a finite number, true, false or null, not ${given}`);
}

function checkString(field: string, value: string): void {
  if (value.includes('\u0000')) throw new ValidationError(field, 'must not contain a NUL character');
  if (!value.isWellFormed()) {
    throw new ValidationError(field, 'must be well-formed Unicode (it holds a lone surrogate)');
  }
}

function tooLong(field: string, what: string): ValidationError {
  return new ValidationError(field, `${what} to filter by has at most ${MAX_METADATA_TEXT} characters`);
}
