import { ValidationError } from '../errors.ts';
import { checkObject } from './ids.ts';
import { reading } from './json.ts';

/** The keys of a record of ours, and what to call one that isn't among them. */
export interface KnownKeys {
  /** "is no part of a commit" */
  readonly problem: string;
  readonly names: ReadonlySet<string>;
  /** What to do with something else: "; put it into metadata". */
  readonly hint: string;
}

/** The compiler asks for each key of `T`: one that is added to a type is known here, or doesn't build. */
export function knownKeys<T>(
  problem: string,
  keys: { readonly [K in keyof T]-?: true },
  hint = '',
): KnownKeys {
  return { problem, names: new Set(Object.keys(keys)), hint };
}

/** What is misspelt would be dropped without a word, so it is refused by name. */
export function checkKeys(field: string, value: object, known: KnownKeys): void {
  for (const key of Object.keys(value)) {
    if (!known.names.has(key)) throw unknownKey(field, key, known);
  }
}

/** A record of the caller's with known keys alone, read once: what its getters do later is its own business. */
export function fieldsOf<T>(field: string, value: T, known: KnownKeys): T {
  return reading(field, () => {
    checkObject(field, value);
    checkKeys(field, value, known);
    const fields: Record<string, unknown> = {};
    for (const name of known.names) {
      const given: unknown = value[name as keyof T];
      if (given !== undefined) fields[name] = given;
    }
    return fields as T;
  });
}

export function unknownKey(field: string, key: string, { problem, names, hint }: KnownKeys): ValidationError {
  const near = nearest(key, names);
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  return new ValidationError(
    pathTo(field, key),
    `${problem}${meant}; those are ${[...names].join(', ')}${hint}`,
  );
}

const LONGEST_NAMED_KEY = 100;

function pathTo(field: string, key: string): string {
  const named = /^[\w$]+$/.test(key) ? key : JSON.stringify(key);
  const short = named.length > LONGEST_NAMED_KEY ? `${named.slice(0, LONGEST_NAMED_KEY)}…` : named;
  return field === '' ? short : `${field}.${short}`;
}

/** The name that the key is likely to be a slip of. */
export function nearest(key: string, names: Iterable<string>): string | undefined {
  const given = key.toLowerCase();
  if (given.length > LONGEST_NAMED_KEY) return undefined;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const distance = slips(given, name.toLowerCase());
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** How many slips of the pen lie between two words; infinite where they are two words. */
function slips(a: string, b: string): number {
  const most = Math.max(1, Math.floor(Math.max(a.length, b.length) / 3));
  const distance = editDistance(a, b);
  if (distance <= most) return distance;
  const begun = a.length >= 3 && b.startsWith(a);
  return begun || (b.length >= 3 && a.startsWith(b)) ? distance + most : Number.POSITIVE_INFINITY;
}

/** Characters to add, drop or change, or neighbours to swap. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
