import { types } from 'node:util';

/**
 * Values that may come from another realm (node:vm, Jest, a code interpreter) or from another copy of a package
 * are recognised by what they are, never by `instanceof`, which knows the classes of one realm only.
 */

export function isDate(value: unknown): value is Date {
  return types.isDate(value);
}

/** Of the instant itself, even where somebody gave the Date another `getTime`. */
export function timeOf(date: Date): number {
  return Date.prototype.getTime.call(date);
}

export function isMap(value: unknown): value is Map<unknown, unknown> {
  return types.isMap(value);
}

export function isSet(value: unknown): value is Set<unknown> {
  return types.isSet(value);
}

export function isNativeError(value: unknown): value is Error {
  return types.isNativeError(value);
}

export function isUint8Array(value: unknown): value is Uint8Array {
  return types.isUint8Array(value);
}

export function isArrayBuffer(value: unknown): value is ArrayBuffer | SharedArrayBuffer {
  return types.isAnyArrayBuffer(value);
}

export function isUrl(value: unknown): value is URL {
  return isObject(value) && tagOf(value) === 'URL' && typeof (value as Partial<URL>).href === 'string';
}

export function isAbortSignal(value: unknown): value is AbortSignal {
  if (!isObject(value)) return false;
  const { aborted, addEventListener } = value as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function';
}

/** A signal that Node's own functions take: one of another realm is followed by one of ours. */
export function ownSignal(signal: AbortSignal): AbortSignal {
  const foreign: Pick<AbortSignal, 'aborted' | 'reason' | 'addEventListener'> = signal;
  if (signal instanceof AbortSignal) return signal;
  const controller = new AbortController();
  const follow = () => controller.abort(foreign.reason);
  if (foreign.aborted) follow();
  else foreign.addEventListener('abort', follow, { once: true });
  return controller.signal;
}

/** Errors of every realm, DOMExceptions, and what libraries throw in their place. */
export function isError(value: unknown): value is Error {
  if (types.isNativeError(value)) return true;
  if (!isObject(value)) return false;
  const { name, message } = value as Partial<Error>;
  return typeof message === 'string' && typeof name === 'string';
}

/** The `code` of an error of Node or of a driver; undefined where there is none. */
export function errorCode(error: unknown): string | undefined {
  if (!isObject(error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** What a thrown value says, whatever was thrown. */
export function messageOf(error: unknown): string {
  try {
    return isError(error) ? error.message || error.name : String(error);
  } catch {
    return 'a value that has no text';
  }
}

const OPAQUE: readonly [is: (value: unknown) => boolean, kind: string][] = [
  [types.isMap, 'a Map'],
  [types.isSet, 'a Set'],
  [types.isWeakMap, 'a WeakMap'],
  [types.isWeakSet, 'a WeakSet'],
  [types.isSharedArrayBuffer, 'a SharedArrayBuffer'],
  [types.isArrayBuffer, 'an ArrayBuffer'],
  [types.isPromise, 'a Promise'],
  [types.isRegExp, 'a RegExp'],
  [types.isNativeError, 'an Error'],
  [types.isGeneratorObject, 'a generator'],
];

/** What JSON has its own way with, and objects that are no more than their keys. */
const PLAIN_TAGS = new Set(['Object', 'Array', 'Arguments', 'Date', 'Boolean', 'Number', 'String']);

/**
 * What to call an object that JSON would turn into `{}` or into an object of indexes, because what it holds isn't
 * in its keys; undefined for one that it can write.
 */
export function opaqueKind(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return undefined;
  for (const [is, kind] of OPAQUE) if (is(value)) return kind;
  const tag = tagOf(value);
  if (ArrayBuffer.isView(value)) return withArticle(tag);
  if (PLAIN_TAGS.has(tag) || Object.keys(value).length > 0) return undefined;
  return withArticle(tag);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function withArticle(name: string): string {
  return `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;
}
