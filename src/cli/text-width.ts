/**
 * How many columns a terminal gives to a text: CJK characters and emoji take two, combining marks none.
 * What belongs together on screen (an accent and its letter, the parts of an emoji) is never cut apart.
 */

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** First and last code points of what Unicode calls wide or fullwidth; emoji are looked at apart. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

const PLAIN = /^[\x20-\x7e]*$/;
const EMOJI = /\p{Emoji_Presentation}|\p{Regional_Indicator}{2}|\ufe0f/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u;

export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** The text in at most `width` columns, with an ellipsis where something was cut off. */
export function truncate(text: string, width: number): string {
  if (text.length <= width && PLAIN.test(text)) return text;
  let kept = '';
  let used = 0;
  // Where the text has to be cut if it turns out to be too long: one column is the ellipsis'.
  let short = '';
  for (const { segment } of segmenter.segment(text)) {
    const next = used + graphemeWidth(segment);
    if (next > width) return width > 0 ? `${short}…` : '';
    kept += segment;
    used = next;
    if (used < width) short = kept;
  }
  return kept;
}

function graphemeWidth(grapheme: string): number {
  if (EMOJI.test(grapheme)) return 2;
  let width = 0;
  for (const character of grapheme) width = Math.max(width, characterWidth(character));
  return width;
}

function characterWidth(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  const code = character.codePointAt(0) ?? 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
