import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = ['../../src/sql/schema/', './plan.ts', './raw-tables.ts', '../generator.ts'];
const FOLDER = join(tmpdir(), 'kode-bench-data');

/**
 * Where a database that takes minutes to make is kept for the next run. The schema and what makes the rows
 * are part of its name; files of other schemas are removed.
 */
export function cachedFile(name: string): string {
  const key = createHash('sha256').update(sources().join('\0')).digest('hex').slice(0, 12);
  mkdirSync(FOLDER, { recursive: true });
  for (const entry of readdirSync(FOLDER)) {
    if (!entry.startsWith(key) && !entry.includes('-building-')) rmSync(join(FOLDER, entry), { force: true });
  }
  return join(FOLDER, `${key}-${name}`);
}

function sources(): string[] {
  return SOURCES.flatMap((source) => {
    const path = fileURLToPath(new URL(source, import.meta.url));
    if (!source.endsWith('/')) return [readFileSync(path, 'utf8')];
    const files = readdirSync(path).filter((file) => file.endsWith('.ts'));
    return files.sort().map((file) => readFileSync(join(path, file), 'utf8'));
  });
}
