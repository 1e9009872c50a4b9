import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CorruptDataError } from '../../src/errors.ts';
import {
  frame,
  type Line,
  NewLines,
  readLines,
  type ScanResult,
  scanLines,
  unframe,
} from '../../src/json/lines.ts';
import { sha256 } from '../../src/model/crypto.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory = '';
let path = '';
let handle: FileHandle;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
  path = join(directory, 'lines');
  handle = await open(path, 'w+');
});
afterEach(async () => {
  await handle.close();
  await removeDirectory(directory);
});

async function hold(bytes: Buffer): Promise<void> {
  await handle.truncate(0);
  await handle.write(bytes, 0, bytes.length, 0);
}

/** A file of these lines. */
function framed(texts: Iterable<string>): Buffer {
  return Buffer.concat([...new NewLines(texts)]);
}

async function scan(chunkBytes?: number): Promise<{ texts: string[]; lines: Line[]; result: ScanResult }> {
  const lines: Line[] = [];
  const onLine = (line: Line) => {
    lines.push(line);
    return true;
  };
  const result = await scanLines(handle, path, onLine, chunkBytes === undefined ? {} : { chunkBytes });
  return { texts: lines.map(({ text }) => text), lines, result };
}

/** What 3.0.0-alpha.1 wrote. */
function oldLine(text: string): string {
  return `${sha256(text).slice(0, 16)} ${text}\n`;
}

const TEXTS = ['{"format":2}', '[{"n":1,"text":"zwölf \\u0000 \\ud800 🙂"}]', '[{"n":2}]'];

describe('a line', () => {
  it('is JSON of its own, with the text in it as it is', () => {
    const { bytes } = frame('{"b":1.0,"a":[ ]}', 7);
    expect(bytes.toString()).toMatch(/^\["[0-9a-f]{8}",17,\{"b":1\.0,"a":\[ \]\}\]\n$/);
    expect(JSON.parse(bytes.toString())[2]).toEqual({ a: [], b: 1 });
  });

  it('gives back the text, whatever it is and whatever was before it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (string, previous) => {
          const text = JSON.stringify(string);
          const { bytes, sum } = frame(text, previous);
          expect(unframe(bytes, previous)).toEqual({ text, sum });
        },
      ),
    );
  });

  it('of whatever length is read in pieces of whatever size', async () => {
    const texts = ['1', JSON.stringify('x'.repeat(5_000)), JSON.stringify('ä'.repeat(300)), '[]'];
    await hold(framed(texts));
    for (const size of [1, 7, 64, 4_096, undefined]) {
      const { lines, result, ...rest } = await scan(size);
      expect(rest.texts).toEqual(texts);
      expect(result).toMatchObject({ format: 2, torn: false, end: framed(texts).length });
      expect(await readLines(handle, path, lines, result.format)).toEqual(lines.map(({ text }) => text));
      const last = lines.slice(-1);
      expect(await readLines(handle, path, last, result.format)).toEqual(last.map(({ text }) => text));
    }
  });
});

describe('a damaged file', () => {
  it('J1 is noticed by every single bit of it, the newlines and the last line included', async () => {
    const bytes = framed(TEXTS);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      const at = bit >>> 3;
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit & 7));
      await hold(damaged);
      await expect(scan(), `bit ${bit & 7} of byte ${at}`).rejects.toThrow(CorruptDataError);
    }
  });

  it('J1 is one with a line too few, too many, elsewhere or of another file', async () => {
    const [header, first, second, third] = [TEXTS[0] ?? '', '[1]', '[2]', '[3]'];
    const lines = linesOf(framed([header, first, second, third]));
    const other = linesOf(framed([`${header} `, first, second, third]));
    const arranged = [
      [0, 2, 3],
      [0, 1, 3],
      [0, 1, 1, 2, 3],
      [0, 1, 2, 2, 3],
      [0, 1, 2, 3, 3],
      [0, 2, 1, 3],
      [1, 2, 3],
    ].map((order) => order.map((at) => lines[at] ?? Buffer.alloc(0)));
    for (const all of [...arranged, [...lines.slice(0, 2), ...other.slice(2)]]) {
      await hold(Buffer.concat(all));
      await expect(scan()).rejects.toThrow(CorruptDataError);
    }
  });

  it('says of the last line, and of no other, how to go on if power failed', async () => {
    const bytes = framed(TEXTS);
    const last = bytes.length - (linesOf(bytes)[2]?.length ?? 0);
    for (const [at, advice] of [
      [last - 3, false],
      [bytes.length - 3, true],
    ] as const) {
      const damaged = Buffer.from(bytes);
      damaged[at] = 0;
      await hold(damaged);
      const refusal = await scan().catch(String);
      expect(refusal).toContain(path);
      expect(/cut the file to its first/.test(String(refusal))).toBe(advice);
    }
  });
});

describe('a file whose writing was cut off', () => {
  it('J1 at whatever byte has the whole lines before it', async () => {
    const bytes = framed(TEXTS);
    const ends: number[] = [];
    for (const line of linesOf(bytes)) ends.push((ends.at(-1) ?? 0) + line.length);
    for (let length = 0; length <= bytes.length; length += 1) {
      await hold(bytes.subarray(0, length));
      const whole = ends.filter((end) => end <= length);
      const { texts, result } = await scan();
      expect(texts).toEqual(TEXTS.slice(0, whole.length));
      expect(result).toMatchObject({ end: whole.at(-1) ?? 0, torn: length > (whole.at(-1) ?? 0) });
    }
  });

  it('J1 may have grown to its size before its bytes were there', async () => {
    const bytes = framed(TEXTS);
    const last = linesOf(bytes)[2]?.length ?? 0;
    for (let left = 0; left < last; left += 1) {
      const holed = Buffer.from(bytes).fill(0, bytes.length - last + left);
      await hold(holed);
      const { texts, result } = await scan();
      expect(texts).toEqual(TEXTS.slice(0, 2));
      expect(result).toMatchObject({ end: bytes.length - last, torn: true });
    }
  });

  it('may end with anything that is no line', async () => {
    const bytes = framed(TEXTS);
    for (const tail of [
      'garbage',
      '["',
      '["00000000",',
      '["00000000",9999999999,',
      '\0'.repeat(100),
      '\xff'.repeat(90),
    ]) {
      await hold(Buffer.concat([bytes, Buffer.from(tail, 'latin1')]));
      const { texts, result } = await scan();
      expect(texts).toEqual(TEXTS);
      expect(result).toMatchObject({ end: bytes.length, torn: true });
    }
  });
});

describe('a file of 3.0.0-alpha.1', () => {
  it('is read as it is', async () => {
    await hold(Buffer.from(TEXTS.map(oldLine).join('')));
    for (const size of [1, 100, undefined]) {
      const { texts, lines, result } = await scan(size);
      expect(texts).toEqual(TEXTS);
      expect(result).toMatchObject({ format: 1, torn: false });
      expect(await readLines(handle, path, lines.toReversed(), 1)).toEqual(
        lines.map(({ text }) => text).reverse(),
      );
    }
  });

  it('J1 is damaged by every single bit but those of its last newline, which it has no second word for', async () => {
    const bytes = Buffer.from(TEXTS.map(oldLine).join(''));
    for (let at = 0; at < bytes.length - 1; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      await hold(damaged);
      await expect(scan(), `byte ${at}`).rejects.toThrow(CorruptDataError);
    }
    await hold(bytes.subarray(0, -1));
    expect((await scan()).result.torn).toBe(true);
  });
});

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start) + 1;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}
