import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDocuments } from './documents.ts';
import { type MarkdownDocument, parseMarkdown } from './markdown.ts';
import { root } from './samples.ts';

const documents = readDocuments();
const documented = [...documents.keys()];

describe('reading Markdown', () => {
  it('finds headings, anchors, code and links', () => {
    const { headings, anchors, blocks, links } = parseMarkdown(
      [
        '# A `b` & [c](d.md)',
        'See [here](x.md#y) and `[not](z.md)`.',
        '```ts',
        '# no heading, [no link](q.md)',
        '```',
        '## Ä 中文',
        '## Ä 中文',
      ].join('\n'),
    );
    expect(headings.map(({ level }) => level)).toEqual([1, 2, 2]);
    expect([...anchors]).toEqual(['a-b--c', 'ä-中文', 'ä-中文-1']);
    expect(blocks).toEqual([
      { language: 'ts', text: '# no heading, [no link](q.md)', heading: 'A `b` & [c](d.md)', line: 4 },
    ]);
    expect(links.map(({ target }) => target)).toEqual(['d.md', 'x.md#y']);
  });

  it('refuses code without an end', () => {
    expect(() => parseMarkdown('```ts\nlet a;')).toThrow(/line 2 has no end/);
  });
});

describe('links', () => {
  it.each(documented)('of %s lead somewhere', (path) => {
    expect(brokenLinks(path, documents.get(path))).toEqual([]);
  });

  it('to the store in the API reference have their heading', () => {
    expect(documents.get('docs/reference/api.md')?.anchors.has('store')).toBe(true);
  });
});

describe('what belongs together', () => {
  it.each([
    ['README.md', 'README.zh-CN.md'],
    ['docs/agent.md', 'docs/zh-CN/agent.md'],
    ['docs/database.md', 'docs/zh-CN/database.md'],
    ['docs/limits.md', 'docs/zh-CN/limits.md'],
    ['docs/upgrading.md', 'docs/zh-CN/upgrading.md'],
  ])('%s and %s have the same parts and the same samples', (english, chinese) => {
    const [one, other] = [documents.get(english), documents.get(chinese)];
    expect(other && outline(other)).toEqual(one && outline(one));
  });
});

/** What doesn't change with the language: levels of headings, and the code without its comments and texts. */
function outline({ headings, blocks }: MarkdownDocument): unknown {
  return {
    levels: headings.map(({ level }) => level),
    code: blocks.map(({ language, text }) => [
      language,
      text
        .split('\n')
        .map((line) => line.replace(/\s*(?:\/\/|#|REM) .*$/, ''))
        .filter((line) => line !== ''),
    ]),
  };
}

function brokenLinks(path: string, document: MarkdownDocument | undefined): string[] {
  const broken: string[] = [];
  for (const { target, line } of document?.links ?? []) {
    if (/^[a-z][a-z+.-]*:/i.test(target)) continue;
    const [file = '', fragment] = target.split('#');
    const linked = file === '' ? path : posix.normalize(posix.join(posix.dirname(path), file));
    const anchors = documents.get(linked)?.anchors;
    if (linked.startsWith('..') || !existsSync(join(root, linked))) {
      broken.push(`line ${line}: there is no ${target}`);
    } else if (fragment !== undefined && !anchors?.has(decodeURIComponent(fragment))) {
      broken.push(`line ${line}: ${linked} has no heading #${fragment}`);
    }
  }
  return broken;
}
