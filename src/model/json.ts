import { ValidationError } from '../errors.ts';
import { describe } from './ids.ts';

/** Deepest nesting of arrays and objects that is stored. */
export const MAX_DEPTH = 1_000;

/**
 * The exact JSON text of a value. Refuses what JSON would lose or change silently (NaN, Map, functions …)
 * with the path of the culprit; `undefined` properties and -0 follow JSON.
 */
export function encodeJson(value: unknown, field: string): string {
  checkJson(value, field);
  return JSON.stringify(value) ?? 'null';
}

/** Throws a `ValidationError` that names the first thing in `value` that JSON can't hold. */
export function checkJson(value: unknown, field: string): void {
  if (!isPlain(value, 1)) explain(value, field, 1, []);
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
  if (Array.isArray(value)) {
    for (const item of value) if (!isPlain(item, depth + 1)) return false;
    return true;
  }
  const json = asJson(value);
  if (json !== value) return isPlain(json, depth + 1);
  if (isOpaque(value)) return false;
  for (const key of Object.keys(value)) {
    if (!isPlain((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** The slow path, after a refusal: finds the culprit again and says where it is. */
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
  if (Array.isArray(value)) {
    value.forEach((item, i) => {
      explain(item, `${path}[${i}]`, depth + 1, within);
    });
    return;
  }
  const json = asJson(value);
  if (json !== value) {
    explain(json, path, depth + 1, within);
    return;
  }
  if (isOpaque(value)) refuse(path, `is ${describe(value)}, which JSON can't hold; convert it first`);
  for (const key of Object.keys(value)) {
    explain((value as Record<string, unknown>)[key], `${path}.${key}`, depth + 1, within);
  }
}

function refuse(path: string, problem: string): never {
  throw new ValidationError(path, problem);
}

/** What JSON.stringify would write instead of the object. */
function asJson(value: object): unknown {
  if (ArrayBuffer.isView(value)) return value;
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  return typeof toJSON === 'function' ? toJSON.call(value, '') : value;
}

/** Objects that JSON.stringify would turn into `{}` or an object of indexes. */
function isOpaque(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof ArrayBuffer ||
    value instanceof SharedArrayBuffer ||
    value instanceof Promise ||
    value instanceof RegExp ||
    value instanceof Error
  );
}
