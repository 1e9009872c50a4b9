import { ValidationError } from '../errors.ts';
import { randomBytes } from './crypto.ts';
import { isDate, opaqueKind } from './foreign.ts';

export const MAX_NAME_BYTES = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE_IN_ID = /[\u0000-\u001f\u007f-\u009f/\\]/;
/** What ten of its characters hold: the year 37648. */
const MAX_TIME = 32 ** 10 - 1;
const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A new agent id: `agt-`, 10 characters of time and 16 of chance, so that ids sort by their creation.
 * (The layout of a ULID: https://github.com/ulid/spec.)
 */
export function generateAgentId(now: number = Date.now()): string {
  if (typeof now !== 'number' || !(now >= 0 && now <= MAX_TIME)) {
    throw new ValidationError('now', 'must be epoch milliseconds, 0 or more');
  }
  let time = '';
  for (let rest = Math.floor(now), i = 0; i < 10; i += 1) {
    time = CROCKFORD.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let chance = '';
  for (const byte of randomBytes(16)) chance += CROCKFORD.charAt(byte & 31);
  return `agt-${time}${chance}`;
}

/** Agent and snapshot ids: names that are also safe as a file's name. */
export function validateId(field: string, value: unknown): asserts value is string {
  validateName(field, value);
  if (UNSAFE_IN_ID.test(value)) {
    throw new ValidationError(field, 'must not contain slashes, backslashes or control characters');
  }
  if (value === '.' || value === '..') throw new ValidationError(field, `must not be "${value}"`);
}

export function validateAgentId(value: unknown): asserts value is string {
  validateId('agentId', value);
}

/** Names that become keys: 1 to 255 bytes of well-formed Unicode without NUL. */
export function validateName(
  field: string,
  value: unknown,
  maxBytes = MAX_NAME_BYTES,
): asserts value is string {
  if (typeof value !== 'string') throw new ValidationError(field, `must be a string, not ${describe(value)}`);
  if (value === '') throw new ValidationError(field, 'must not be empty');
  // A UTF-16 unit is at most 3 bytes of UTF-8: short names need no counting.
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) {
    throw new ValidationError(field, `must be at most ${maxBytes} bytes long`);
  }
  if (value.includes('\u0000')) throw new ValidationError(field, 'must not contain a NUL character');
  if (!value.isWellFormed()) {
    throw new ValidationError(field, 'must be well-formed Unicode (it holds a lone surrogate)');
  }
}

/** What is kept of a call's id and of a tool's name. */
export const MAX_CALL_NAME_BYTES = 65_536;

/**
 * Ids of calls and names of tools come from models and providers, and are kept as they come: gateways put
 * signatures into ids, and some leave them empty. Any text will do, up to 64 KB.
 */
export function validateCallName(field: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new ValidationError(field, `must be a string, not ${describe(value)}`);
  if (value.length * 3 > MAX_CALL_NAME_BYTES && Buffer.byteLength(value) > MAX_CALL_NAME_BYTES) {
    throw new ValidationError(field, `must be at most ${MAX_CALL_NAME_BYTES} bytes long`);
  }
}

/** A value's kind, for messages: never its content, which may be large or secret. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  try {
    return describeObject(value);
  } catch {
    return "an object that can't be read";
  }
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return 'an array';
  const kind = opaqueKind(value);
  if (kind !== undefined) return kind;
  const name: unknown = value.constructor?.name;
  return typeof name !== 'string' || name === 'Object' || name === '' ? 'an object' : `a ${name}`;
}

/** A record of ours: lists, functions and what has no keys (Map, Date …) are none. */
export function checkObject(field: string, value: unknown): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    if (opaqueKind(value) === undefined && !isDate(value)) return;
  }
  throw new ValidationError(field, `must be an object, not ${describe(value)}`);
}
