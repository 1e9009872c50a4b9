import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textWidth, truncate } from '../../src/cli/text-width.ts';

const FAMILY = '\u{1F469}\u200D\u{1F469}\u200D\u{1F467}';

describe('the width of a text in a terminal', () => {
  it.each([
    ['', 0],
    ['plain', 5],
    ['naïve', 5],
    ['e\u0301', 1],
    ['日本語', 6],
    ['ｗｉｄｅ', 8],
    ['한국어', 6],
    ['\u1112\u1161\u11AB', 2],
    ['「松」。', 8],
    ['📚', 2],
    ['☂️', 2],
    ['🇨🇳', 2],
    [FAMILY, 2],
    ['a\u200Bb', 2],
    ['𠮷', 2],
    ['ｶﾅ', 2],
    ['—…·', 3],
  ])('of %j is %i', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
});

describe('truncating', () => {
  it.each([
    ['plain', 5, 'plain'],
    ['plain', 4, 'pla…'],
    ['plain', 1, '…'],
    ['plain', 0, ''],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['日本語', 1, '…'],
    [`${FAMILY}!!`, 3, `${FAMILY}…`],
    ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
  ])('%j to %i columns gives %j', (text, width, expected) => {
    expect(truncate(text, width)).toBe(expected);
  });

  it('never exceeds the width, and cuts only what exceeds it', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    fc.assert(
      fc.property(text, fc.nat(25), (value, width) => {
        const cut = truncate(value, width);
        expect(textWidth(cut)).toBeLessThanOrEqual(width);
        expect(cut === value).toBe(textWidth(value) <= width);
      }),
    );
  });
});
