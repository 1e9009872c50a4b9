import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SchemaVersionError, StoreConfigError, StoreUnavailableError } from '../errors.ts';
import { readCheckpointedSchema, readSchema, type SchemaObject } from './file-schema.ts';

const OURS = /^kode_/;
/** What SQLite keeps for itself: statistics, sequences, indexes of keys. */
const INTERNAL = /^sqlite_/;
const MIGRATIONS = 'kode_data_migrations';
const TABLES_OF_27 = ['agents', 'messages', 'tool_calls', 'snapshots'];
/** Names that a message tells. */
const MAX_NAMES = 5;

/**
 * Refuses a database that somebody else made, before anything of it is changed. `adopt`: our tables may come beside
 * others. A database that has our tables already is ours, whatever else is in it.
 */
export async function refuseForeign(path: string, adopt: boolean): Promise<void> {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory()) {
    throw new StoreUnavailableError(
      `${path} is a directory, and a SQLite store is one file. Name a file in it: ${join(path, 'agents.db')}`,
    );
  }
  if (!there?.isFile()) return;
  // Nearly every database that is opened is ours for long, whatever its log adds.
  if (isOurs(readCheckpointedSchema(path))) return;
  const objects = await readSchema(path);
  if (!objects || isOurs(objects)) return;
  if (isOf27(objects)) {
    throw new SchemaVersionError(
      `${path} is a database of KODE SDK 2.7, which this version doesn't read. Nothing was changed. Choose a new file for this version. "kode migrate", which brings the agents over, comes with a later version.`,
    );
  }
  const foreign = objects.filter(({ name }) => !OURS.test(name) && !INTERNAL.test(name));
  if (foreign.length === 0 || adopt) return;
  const names = foreign.slice(0, MAX_NAMES).map(({ name }) => JSON.stringify(name));
  const more = foreign.length > MAX_NAMES ? ' and others' : '';
  throw new StoreConfigError(
    `${path} is a database of another program: it has ${names.join(', ')}${more}, and no tables of this store. Nothing was changed. Choose another file, or pass the option { adopt: true } to have the store's tables beside those.`,
  );
}

function isOurs(objects: readonly SchemaObject[] | undefined): boolean {
  return objects?.some(({ name }) => name === MIGRATIONS) ?? false;
}

function isOf27(objects: readonly SchemaObject[]): boolean {
  const agents = objects.find(({ name }) => name === 'agents');
  return (
    agents !== undefined &&
    /\bconfig_version\b[\s\S]*\blast_sfp_index\b/i.test(agents.sql) &&
    TABLES_OF_27.every((table) => objects.some(({ name }) => name === table))
  );
}
