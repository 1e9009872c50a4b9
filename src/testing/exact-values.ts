/** Values that JSON can hold, each of a kind that some way of storing it loses or changes. */
export const REPRESENTABLE: Record<string, () => unknown> = {
  'keys in their order': () => ({
    zebra: 1,
    apple: { y: 1, x: 2, _: 3 },
    Apple: 2,
    'a b': 3,
    10: 'ten',
    9: 'nine',
  }),
  'NUL characters': () => ({ 'k\u0000ey': 'a\u0000b', plain: '\u0000' }),
  'lone surrogates': () => ({ '\ud83d': ['\udc00', 'a\ud800b', '\udfff\ud800'], pair: '\ud83d\ude00' }),
  '__proto__ and other inherited keys': () =>
    JSON.parse('{"__proto__":{"polluted":true},"constructor":"c","toString":null,"length":3,"":"empty"}'),
  'empty things': () => ({ list: [], object: {}, text: '', nested: [[], [{}], ['']], none: null }),
  'a false': () => false,
  'a zero': () => 0,
  'an empty text': () => '',
  'a null': () => null,
  'an empty list': () => [],
  'numbers at their limits': () => [
    0.1 + 0.2,
    1e21,
    1e-7,
    5e-324,
    1.7976931348623157e308,
    Number.MAX_SAFE_INTEGER,
    2 ** 53 + 2,
    -1,
    100,
    1.5,
  ],
  'texts that look like something else': () => [
    '2024-05-17T12:00:00.000Z',
    '{"a":1}',
    'null',
    '1',
    "'; DROP TABLE messages; --",
    '\\u0000',
    '\\',
    '%_$1?:x@y',
    '\ufeffbom',
    '\u2028\u2029\u0085',
    '\uffff\u{10ffff}',
    'e\u0301 is not \u00e9',
    '\r\n\t\b\f\u007f',
    '  blanks  ',
  ],
  'very long texts': () => `${'long '.repeat(60_000)}\u{1f600}\u0000`,
  'deeply nested lists': () => nested(990),
  'many keys': () =>
    Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`key ${(n * 7919) % 2_000}`, n])),
  'what JSON leaves out or changes': () => ({
    gone: undefined,
    list: [undefined, 1],
    holes: new Array(2),
    zero: -0,
    date: new Date(Date.UTC(2024, 1, 29)),
    own: { toJSON: () => ({ z: 1, a: 2 }) },
    boxed: [Object('text'), Object(7), Object(false)],
    bare: Object.assign(Object.create(null), { key: 1 }),
  }),
  'one object in two places': () => {
    const shared = { list: [1, 2] };
    return { first: shared, second: [shared, shared] };
  },
};

/** Values that JSON can't hold, or would change beyond recognition without a word. */
export const UNREPRESENTABLE: Record<string, () => unknown> = {
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  BigInt: () => 1n,
  function: () => () => 1,
  class: () => class Thing {},
  symbol: () => Symbol('s'),
  Map: () => new Map([[1, 2]]),
  Set: () => new Set([1]),
  WeakMap: () => new WeakMap(),
  WeakSet: () => new WeakSet(),
  Uint8Array: () => new Uint8Array(2),
  Float64Array: () => new Float64Array(2),
  Buffer: () => Buffer.from('x'),
  ArrayBuffer: () => new ArrayBuffer(2),
  Promise: () => Promise.resolve(1),
  RegExp: () => /x/,
  Error: () => new Error('x'),
  'a cycle': () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return cycle;
  },
  'a cycle through lists': () => {
    const cycle: unknown[] = [];
    cycle.push([cycle]);
    return cycle;
  },
  'too many levels': () => nested(1_001),
};

/** `levels` lists and objects, one in the other in turn. */
export function nested(levels: number): unknown {
  let value: unknown = 'bottom';
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { in: value };
  return value;
}
