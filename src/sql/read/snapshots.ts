import type { Snapshot, SnapshotInfo } from '../../model/agent.ts';
import type { Message } from '../../model/message.ts';
import { readChain } from '../agent-state.ts';
import { decodeBookmark, number, parseJson, parseMessages } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import { run, type Script } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';
import { readRange } from './messages.ts';

const FIND = statement(
  'find_snapshot',
  'SELECT * FROM {snapshots} WHERE tree = $1 AND agent = $2 AND snapshot_id = $3',
);

const LIST = statement(
  'list_snapshots',
  `SELECT snapshot_id, branch, position, created_at, last_sfp_index, bookmark_seq, bookmark_at, metadata, messages
   FROM {snapshots} WHERE tree = $1 AND agent = $2`,
);

export function* findSnapshot(keys: AgentKeys, snapshotId: string): Script<Row | undefined> {
  return (yield* run(FIND, [keys.tree, keys.agent, snapshotId]))[0];
}

export function* readSnapshot(keys: AgentKeys, snapshotId: string): Script<Snapshot | undefined> {
  const row = yield* findSnapshot(keys, snapshotId);
  if (!row) return undefined;
  const { messageCount: _count, ...info } = decodeSnapshot(row);
  return { ...info, messages: yield* snapshotMessages(keys.tree, row) };
}

/** A reference is read from the branches that it pins; a copy is in the row. */
export function* snapshotMessages(tree: number, row: Row): Script<Message[]> {
  const where = `snapshot "${row.snapshot_id}"`;
  if (row.messages !== null) return parseJson(row.messages, where) as Message[];
  const position = number(row.position);
  const chain = yield* readChain(tree, number(row.branch), position, 0);
  return parseMessages(yield* readRange(tree, chain, 0, position), where);
}

/** Oldest first. */
export function* readSnapshots(keys: AgentKeys): Script<SnapshotInfo[]> {
  const rows = yield* run(LIST, [keys.tree, keys.agent]);
  return rows
    .map(decodeSnapshot)
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
}

function decodeSnapshot(row: Row): SnapshotInfo {
  const id = String(row.snapshot_id);
  const where = `snapshot "${id}"`;
  return {
    id,
    messageCount:
      row.messages === null ? number(row.position) : (parseJson(row.messages, where) as Message[]).length,
    lastSfpIndex: number(row.last_sfp_index),
    ...decodeBookmark(row),
    createdAt: new Date(number(row.created_at)),
    ...(row.metadata === null ? {} : { metadata: parseJson(row.metadata, where) as Record<string, unknown> }),
  };
}
