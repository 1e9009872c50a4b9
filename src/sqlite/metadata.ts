import { parseJson } from '../sql/codec.ts';
import type { AgentKeys } from '../sql/keys.ts';
import { statement } from '../sql/port/statement.ts';
import { metadataRows } from '../sql/query/metadata-index.ts';
import type { Executor } from './executor.ts';

const TEXT = statement('metadata_text', 'SELECT metadata FROM {agents} WHERE tree = $1 AND agent = $2');
const INSERT = statement(
  'insert_metadata',
  'INSERT INTO {metadata} (path, value, agent, tree) VALUES ($1, $2, $3, $4)',
);
const DELETE = statement(
  'delete_metadata',
  'DELETE FROM {metadata} WHERE path = $1 AND value = $2 AND agent = $3 AND tree = $4',
);
/** Reads the whole index. */
const DELETE_UNKNOWN = statement(
  'delete_unknown_metadata',
  'DELETE FROM {metadata} WHERE agent = $1 AND tree = $2',
);

/** Writes what differs between the metadata that is stored and its new text. */
export function reindexMetadata(db: Executor, keys: AgentKeys, text: string): void {
  const { tree, agent } = keys;
  const wanted = rowsByKey(text);
  let stored: typeof wanted;
  try {
    stored = rowsByKey(storedText(db, keys));
  } catch {
    // Not JSON any more: nothing says which rows were made of it, and it mustn't stay in the way.
    db.run(DELETE_UNKNOWN, [agent, tree]);
    stored = new Map();
  }
  for (const [key, [path, value]] of stored) {
    if (!wanted.has(key)) db.run(DELETE, [path, value, agent, tree]);
  }
  for (const [key, [path, value]] of wanted) {
    if (!stored.has(key)) db.run(INSERT, [path, value, agent, tree]);
  }
}

/** Indexes the source's metadata for agents of its tree. In the order of the index, which has it fill pages. */
export function copyMetadata(db: Executor, source: AgentKeys, agents: readonly number[]): void {
  const rows = [...rowsByKey(storedText(db, source)).values()];
  for (const [path, value] of rows) {
    for (const agent of agents) db.run(INSERT, [path, value, agent, source.tree]);
  }
}

function storedText(db: Executor, { tree, agent }: AgentKeys): string {
  const [row] = db.all(TEXT, [tree, agent]);
  return row ? String(row.metadata) : '{}';
}

function rowsByKey(text: string): Map<string, [path: string, value: string]> {
  const metadata = parseJson(text, 'metadata of an agent') as Record<string, unknown>;
  return new Map(
    metadataRows(metadata).map(({ path, value }) => [JSON.stringify([path, value]), [path, value]]),
  );
}
