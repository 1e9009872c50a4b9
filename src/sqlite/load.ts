import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { StoreConfigError } from '../errors.ts';

/**
 * better-sqlite3 is an optional dependency: users of PostgreSQL do without it. Version 13 ships binaries
 * for Node 22 and later only, and on Node 20 it crashes the process when a database is opened.
 */
export async function loadBetterSqlite(): Promise<typeof BetterSqlite3> {
  const version = installedVersion();
  const node = Number(process.versions.node.split('.')[0]);
  if (version !== undefined && Number(version.split('.')[0]) >= 13 && node < 22) {
    throw new StoreConfigError(
      `better-sqlite3 ${version} needs Node.js 22 or later, and this is ${process.versions.node}. Install the line that supports it: npm i better-sqlite3@12`,
    );
  }
  try {
    return (await import('better-sqlite3')).default;
  } catch (cause) {
    throw new StoreConfigError(
      'The SQLite store needs the package better-sqlite3, which is not installed or could not be built. Install it: npm i better-sqlite3 (on Node.js 20: npm i better-sqlite3@12)',
      { cause },
    );
  }
}

function installedVersion(): string | undefined {
  try {
    const { version } = createRequire(import.meta.url)('better-sqlite3/package.json') as { version: string };
    return version;
  } catch {
    // Not installed: the import below says so with its own error as the cause.
    return undefined;
  }
}
