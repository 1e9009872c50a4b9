import { describe, expect, it } from 'vitest';
import {
  metadataContained,
  metadataDocument,
  metadataRow,
  metadataRows,
} from '../../src/sql/query/metadata-index.ts';
import { validateSessionFilter } from '../../src/store/validate-filter.ts';

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text);
}

/** The one match of a metadata filter. */
function match(path: string, value: string | number | boolean | null) {
  const [found] = validateSessionFilter({ metadata: { [path]: value } }).metadata;
  if (!found) throw new Error('the filter says nothing');
  return found;
}

describe("SQLite's index of metadata", () => {
  it('has a row for each scalar that is reached through objects', () => {
    const metadata = { a: 1, b: { c: 'x', d: { e: null } }, on: true, list: [1, { f: 2 }], none: {} };
    expect(metadataRows(metadata)).toEqual([
      { path: 'a', value: '1' },
      { path: 'b.c', value: '"x"' },
      { path: 'b.d.e', value: 'null' },
      { path: 'on', value: 'true' },
    ]);
  });

  it('has the row that a filter looks for', () => {
    const metadata = parse(
      '{"a.b":1,"a":{"b":2,"\\\\":3,"":4},"__proto__":{"x":5},"é":"\\"","n":1e300,"z":-0,"constructor":6}',
    );
    const rows = metadataRows(metadata);
    for (const [path, value] of [
      ['a\\.b', 1],
      ['a.b', 2],
      ['a.\\\\', 3],
      ['__proto__.x', 5],
      ['é', '"'],
      ['n', 1e300],
      ['z', 0],
      ['constructor', 6],
    ] as const) {
      expect(rows, path).toContainEqual(metadataRow(match(path, value)));
    }
    expect(rows.length).toBe(9);
  });

  it('keeps paths apart that its text columns would confuse', () => {
    const rows = metadataRows(parse('{"\\u0000":1,"\\ud800":2,"\\udfff":3,"\\\\u0000":4,"\\ufffd":5}'));
    expect(new Set(rows.map(({ path }) => path)).size).toBe(5);
    for (const { path } of rows) {
      expect(path.isWellFormed()).toBe(true);
      expect(path).not.toContain('\u0000');
    }
  });

  it('leaves out what no filter may ask for', () => {
    const long = 'x'.repeat(1_000);
    const metadata = { long, fits: 'x'.repeat(998), [long]: 1, [`${long}x`]: 2, deep: { [long]: 3 } };
    expect(metadataRows(metadata).map(({ path }) => path)).toEqual(['fits', long]);
    expect(() => match('long', long)).toThrow(/at most 1000 characters/);
    expect(() => match(`deep.${long}`, 1)).toThrow(/at most 1000 characters/);
    expect(match('fits', 'x'.repeat(998)).value).toHaveLength(998);
  });

  it('takes metadata of a thousand levels', () => {
    let metadata: Record<string, unknown> = { end: 1 };
    for (let level = 0; level < 400; level += 1) metadata = { a: metadata };
    expect(metadataRows(metadata)).toEqual([{ path: `${'a.'.repeat(400)}end`, value: '1' }]);
    for (let level = 0; level < 599; level += 1) metadata = { a: metadata };
    expect(metadataRows(metadata)).toEqual([]);
  });
});

describe("PostgreSQL's index of metadata", () => {
  it('is the metadata, without what JSONB refuses', () => {
    const text =
      '{"a":"\\u0000x","\\ud800":"\\udc00","b":"\\\\u0000","c":"\\\\\\u0000","d":"\\ud83d\\ude00"}';
    expect(JSON.parse(metadataDocument(parse(text)))).toEqual({
      a: '\ufffdx',
      '\ufffd': '\ufffd',
      b: '\\u0000',
      c: '\\\ufffd',
      d: '😀',
    });
    const plain = { a: [1, { b: null }], 'c.d': 'é\n' };
    expect(metadataDocument(plain)).toBe(JSON.stringify(plain));
  });

  it('is looked up by a document that it contains', () => {
    expect(metadataContained(match('a.b\\.c', 'x'))).toBe('{"a":{"b.c":"x"}}');
    expect(metadataContained(match('__proto__', null))).toBe('{"__proto__":null}');
  });
});

describe('a metadata filter', () => {
  it('refuses paths and values that it does not understand, by name', () => {
    for (const [path, value, problem] of [
      ['', 1, /empty key/],
      ['a.', 1, /empty key/],
      ['a..b', 1, /empty key/],
      ['a\\b', 1, /backslash/],
      ['a\\', 1, /backslash/],
      ['a\u0000', 1, /NUL/],
      ['a', '\ud800', /Unicode/],
      ['a', Number.POSITIVE_INFINITY, /finite/],
    ] as const) {
      expect(() => match(path, value), JSON.stringify(path)).toThrow(problem);
    }
  });

  it('takes no object for a filter that has no keys of its own', () => {
    for (const filter of [new Date(), new Map(), [], null, 'x', 1, () => 1]) {
      expect(() => validateSessionFilter(filter)).toThrow(/filter: must be an object/);
    }
    expect(validateSessionFilter(Object.create(null)).limit).toBe(100);
  });

  it('takes no impossible days', () => {
    for (const day of ['2025-02-30', '2025-04-31T00:00:00Z', '2025-13-01', '2025-1-1', '31.01.2025']) {
      expect(() => validateSessionFilter({ createdAfter: day }), day).toThrow(/createdAfter/);
    }
    expect(validateSessionFilter({ createdAfter: '2024-02-29' }).createdAfter).toBe(Date.UTC(2024, 1, 29));
  });
});
