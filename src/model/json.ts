import { KodeError, ValidationError } from '../errors.ts';
import { isDate, messageOf, opaqueKind } from './foreign.ts';
import { describe } from './ids.ts';

/** Deepest nesting of arrays and objects that is stored. */
export const MAX_DEPTH = 1_000;

/**
 * Longest text of one value, in UTF-16 units. Engines of JavaScript hold little more than twice as much in one
 * string, and the databases a gigabyte in one field.
 */
export const MAX_TEXT_LENGTH = 2 ** 27;

/** The same of all texts of one commit together: they travel in one message. */
export const MAX_COMMIT_LENGTH = 2 * MAX_TEXT_LENGTH;

/** An array's text has at least a character and a comma for each of them. */
const MAX_ITEMS = MAX_TEXT_LENGTH / 2;

/**
 * The exact JSON text of a value. Refuses what JSON would lose or change silently (NaN, Map, functions …)
 * with the path of the culprit; `undefined` properties and -0 follow JSON.
 */
export function encodeJson(value: unknown, field: string): string {
  checkJson(value, field);
  return writeJson(value, field) ?? 'null';
}

/** Whether JSON can hold the value, as far as a quick look tells: `checkJson` takes some that it doesn't. */
export function isJson(value: unknown): boolean {
  try {
    return isPlain(value, 1);
  } catch {
    return false;
  }
}

/** Throws a `ValidationError` that names the first thing in `value` that JSON can't hold. */
export function checkJson(value: unknown, field: string): void {
  try {
    if (!isPlain(value, 1)) explain(value, field, 1, []);
  } catch (cause) {
    throw unreadable(field, cause);
  }
}

/** The text of what was checked; undefined for `undefined`. */
export function writeJson(value: unknown, field: string): string | undefined {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw unreadable(field, cause);
  }
  if (text !== undefined && text.length > MAX_TEXT_LENGTH) {
    refuse(field, `is too large: its JSON text has ${text.length} characters, of ${MAX_TEXT_LENGTH} at most`);
  }
  return text;
}

/** Throws if texts of this length together are more than one commit holds. */
export function checkTotalLength(field: string, length: number): void {
  if (length <= MAX_COMMIT_LENGTH) return;
  refuse(
    field,
    `is too large: its JSON texts have more than ${MAX_COMMIT_LENGTH} characters together. Make several commits of it`,
  );
}

/** What a getter, a `toJSON` or a proxy of the caller's throws is an error of its value. */
export function unreadable(field: string, cause: unknown): KodeError {
  if (cause instanceof KodeError) return cause;
  return new ValidationError(field, `can't be read: ${messageOf(cause)}`, { cause });
}

/** Reads something of the caller's that may throw. */
export function reading<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw unreadable(field, cause);
  }
}

/** The fast path: allocates nothing. A cycle ends at the depth limit. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth > MAX_DEPTH) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) {
    const items = value as unknown[];
    if (items.length > MAX_ITEMS) return false;
    for (let i = 0; i < items.length; i += 1) if (!isPlain(items[i], depth + 1)) return false;
    return true;
  }
  // A plain object's own toJSON is a function among its values, and has the slow path look.
  if (prototype !== Object.prototype) {
    const json = asJson(value);
    if (json !== value) return !isInvalidDate(value) && isPlain(json, depth + 1);
    if (Array.isArray(value) || opaqueKind(value) !== undefined) return false;
  }
  for (const key of Object.keys(value)) {
    if (!isPlain((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** The slow path: finds the culprit and says where it is. Where there is none, the fast one was too careful. */
function explain(value: unknown, path: string, depth: number, ancestors: object[]): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    refuse(path, `is ${value}, which JSON can't hold`);
  if (typeof value === 'bigint') refuse(path, "is a BigInt, which JSON can't hold; pass a string");
  if (typeof value === 'function') refuse(path, 'is a function');
  if (typeof value === 'symbol') refuse(path, 'is a symbol');
  if (typeof value !== 'object' || value === null) return;
  if (ancestors.includes(value)) refuse(path, 'refers back to an object that contains it (a cycle)');
  if (depth > MAX_DEPTH) refuse(path.slice(0, 80), `is nested deeper than ${MAX_DEPTH} levels`);
  const within = [...ancestors, value];
  const json = asJson(value);
  if (json !== value) {
    if (isInvalidDate(value)) refuse(path, "is an invalid Date, which JSON can't hold");
    explain(json, path, depth + 1, within);
    return;
  }
  if (Array.isArray(value)) {
    if (value.length > MAX_ITEMS) refuse(path, `has ${value.length} items, of ${MAX_ITEMS} at most`);
    value.forEach((item, i) => {
      explain(item, `${path}[${i}]`, depth + 1, within);
    });
    return;
  }
  if (opaqueKind(value) !== undefined) {
    refuse(path, `is ${describe(value)}, which JSON can't hold; convert it first`);
  }
  for (const key of Object.keys(value)) {
    explain((value as Record<string, unknown>)[key], `${path}.${key}`, depth + 1, within);
  }
}

function refuse(path: string, problem: string): never {
  throw new ValidationError(path, problem);
}

/** What JSON.stringify would write instead of the object. */
export function asJson(value: object): unknown {
  if (ArrayBuffer.isView(value)) return value;
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  return typeof toJSON === 'function' ? toJSON.call(value, '') : value;
}

function isInvalidDate(value: object): boolean {
  return isDate(value) && Number.isNaN(Date.prototype.getTime.call(value));
}
