import { readFileSync } from 'node:fs';

/** A fenced block of code. */
export interface CodeBlock {
  language: string;
  text: string;
  /** The nearest heading above it. */
  heading: string;
  /** 1-based line of its first line of code. */
  line: number;
}

export interface Link {
  target: string;
  line: number;
}

export interface MarkdownDocument {
  headings: { level: number; text: string }[];
  /** What a link's fragment can name. */
  anchors: Set<string>;
  blocks: CodeBlock[];
  links: Link[];
}

const LINK = /\[(?:[^\]\\]|\\.)*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g;

export function readMarkdown(path: string): MarkdownDocument {
  return parseMarkdown(readFileSync(path, 'utf8'));
}

/** As much of Markdown as the documents use: ATX headings, fenced code, inline links. */
export function parseMarkdown(source: string): MarkdownDocument {
  const document: MarkdownDocument = { headings: [], anchors: new Set(), blocks: [], links: [] };
  let heading = '';
  let open: { fence: string; block: CodeBlock; lines: string[] } | undefined;
  for (const [index, line] of source.split(/\r?\n/).entries()) {
    if (open) {
      if (line.trim() === open.fence) {
        open.block.text = open.lines.join('\n');
        document.blocks.push(open.block);
        open = undefined;
      } else open.lines.push(line);
      continue;
    }
    const fence = /^(`{3,})([\w-]*)/.exec(line);
    if (fence) {
      const [, marks = '', language = ''] = fence;
      open = { fence: marks, block: { language, text: '', heading, line: index + 2 }, lines: [] };
      continue;
    }
    const [, marks = '', title = ''] = /^(#{1,6})\s+(.*?)\s*$/.exec(line) ?? [];
    if (title !== '') {
      heading = title;
      document.headings.push({ level: marks.length, text: title });
      document.anchors.add(unusedAnchor(title, document.anchors));
    }
    for (const [, target = ''] of line.replace(/`[^`]*`/g, '``').matchAll(LINK)) {
      document.links.push({ target, line: index + 1 });
    }
  }
  if (open) throw new Error(`The code block at line ${open.block.line} has no end`);
  return document;
}

function unusedAnchor(title: string, used: ReadonlySet<string>): string {
  const slug = slugOf(title);
  for (let copy = 0; ; copy += 1) {
    const anchor = copy === 0 ? slug : `${slug}-${copy}`;
    if (!used.has(anchor)) return anchor;
  }
}

/** The anchor that a code host gives a heading: letters, digits, `-` and `_` stay, blanks become `-`. */
function slugOf(title: string): string {
  return title
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}
