import { createContext, runInContext } from 'node:vm';

const realm = createContext({});
const foreign = (code: string): unknown => runInContext(`(${code})`, realm);

function thrower(): never {
  throw new RangeError('from the caller');
}

const throwing: ProxyHandler<object> = {
  get: thrower,
  has: thrower,
  ownKeys: thrower,
  getPrototypeOf: thrower,
  getOwnPropertyDescriptor: thrower,
};

/** What a caller without a type checker may pass, by kind; each call gets a value of its own. */
export const WRONG: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  zero: () => 0,
  'minus one': () => -1,
  half: () => 0.5,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '2^53': () => 2 ** 53,
  '2^63': () => 2 ** 63,
  BigInt: () => 5n,
  'empty text': () => '',
  text: () => 'text',
  'a NUL': () => 'a\u0000b',
  'a lone surrogate': () => '\ud800',
  'dots and slashes': () => '../x',
  'a long text': () => 'x'.repeat(70_000),
  __proto__: () => '__proto__',
  'an empty list': () => [],
  'a list of lists': () => [[[]]],
  'a list with holes': () => new Array(3),
  'a huge list': () => new Array(2 ** 32 - 1),
  'an empty object': () => ({}),
  'an unknown key': () => ({ anything: 1, lease: undefined }),
  'an object without a prototype': () => Object.create(null),
  'an array-like': () => ({ length: 2, 0: 'x', 1: 'y' }),
  function: () => () => 1,
  'a function that throws': () => thrower,
  class: () => class Thing {},
  symbol: () => Symbol('s'),
  'an invalid Date': () => new Date(Number.NaN),
  'a Date': () => new Date(0),
  Map: () => new Map([[1, 2]]),
  Set: () => new Set([1]),
  bytes: () => new Uint8Array(2),
  Promise: () => Promise.resolve(1),
  Error: () => new Error('x'),
  RegExp: () => /x/,
  'a boxed NaN': () => Object(Number.NaN),
  'a boxed BigInt': () => Object(1n),
  'an instance': () =>
    new (class Thing {
      secret = 1;
    })(),
  'a getter that throws': () => Object.defineProperty({}, 'id', { enumerable: true, get: thrower }),
  'a toJSON that throws': () => ({ toJSON: thrower }),
  'a toJSON that gives nothing': () => ({ toJSON: () => undefined }),
  'a proxy that throws': () => new Proxy({}, throwing),
  'a proxy of a list that throws': () => new Proxy([], throwing),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a cycle': () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return cycle;
  },
  'something deep': () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 5_000; level += 1) deep = { deep };
    return deep;
  },
  'a foreign Map': () => foreign('new Map()'),
  'a foreign Date': () => foreign('new Date(0)'),
  'a foreign Error': () => foreign('new Error("x")'),
  'a foreign object': () => foreign('({ a: [1] })'),
  'a foreign list': () => foreign('[1, 2]'),
  'a foreign function': () => foreign('() => 1'),
  'a foreign promise': () => foreign('Promise.resolve(1)'),
};

export const KINDS: readonly string[] = Object.keys(WRONG);

export function wrongValue(kind: string): unknown {
  return WRONG[kind]?.();
}

/** Pseudo-random, so that a run can be repeated: https://en.wikipedia.org/wiki/Xorshift */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** Somewhere within a value, its root included: the way there, and a copy with something else in that place. */
export function replacedWithin(
  value: unknown,
  chance: Chance,
  put: () => unknown,
): { path: string; value: unknown } {
  if (typeof value !== 'object' || value === null || chance.below(3) === 0) return { path: '', value: put() };
  if (Object.getPrototypeOf(value) !== Object.prototype && !Array.isArray(value))
    return { path: '', value: put() };
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  const keys = Object.keys(copy);
  const change = chance.below(8);
  if (keys.length === 0 || change === 0) {
    copy[chance.pick(['x', 'toJSON', '__proto', 'mesages', 'signal'])] = put();
    return { path: '.new', value: copy };
  }
  const key = chance.pick(keys);
  if (change === 1) {
    Object.defineProperty(copy, key, { enumerable: true, configurable: true, get: thrower });
    return { path: `.${key}!`, value: copy };
  }
  if (change === 2) {
    delete copy[key];
    return { path: `.-${key}`, value: copy };
  }
  const within = replacedWithin(copy[key], chance, put);
  copy[key] = within.value;
  return { path: `.${key}${within.path}`, value: copy };
}
