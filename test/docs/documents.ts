import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type MarkdownDocument, readMarkdown } from './markdown.ts';
import { root } from './samples.ts';

/** The repository's documents by their paths in it, with `/` on every platform. */
export function readDocuments(): Map<string, MarkdownDocument> {
  const paths = [...markdownFiles(root, false), ...markdownFiles(join(root, 'docs'), true)];
  return new Map(paths.map((path) => [relative(root, path).replaceAll('\\', '/'), readMarkdown(path)]));
}

function markdownFiles(folder: string, recursive: boolean): string[] {
  return readdirSync(folder, { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
    .sort();
}
