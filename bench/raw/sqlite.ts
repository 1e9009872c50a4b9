import Database from 'better-sqlite3';
import type { NewEvent } from '../../src/model/agent.ts';
import type { Message } from '../../src/model/message.ts';
import type { Turn } from '../turns.ts';
import {
  advance,
  eventRows,
  type RawAgent,
  type RawDatabase,
  type RawEvent,
  rowsOf,
  storedEvent,
} from './raw.ts';

const SCHEMA = `
  CREATE TABLE agents (agent INTEGER PRIMARY KEY, version INTEGER NOT NULL, message_count INTEGER NOT NULL,
    call_count INTEGER NOT NULL, cursor INTEGER NOT NULL, status INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    last_sfp_index INTEGER NOT NULL, bookmark_seq INTEGER, bookmark_at INTEGER, metadata TEXT NOT NULL);
  CREATE TABLE messages (agent INTEGER NOT NULL, seq INTEGER NOT NULL, role INTEGER NOT NULL,
    created_at INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (agent, seq));
  CREATE TABLE tool_calls (agent INTEGER NOT NULL, call_seq INTEGER NOT NULL, tool_call_id TEXT NOT NULL,
    tool_name TEXT NOT NULL, state INTEGER NOT NULL, is_error INTEGER NOT NULL, message_seq INTEGER NOT NULL,
    created_at INTEGER NOT NULL, duration_ms REAL, input TEXT NOT NULL, output TEXT, error TEXT,
    PRIMARY KEY (agent, call_seq));
  CREATE TABLE events (agent INTEGER NOT NULL, cursor INTEGER NOT NULL, channel INTEGER NOT NULL,
    created_at INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (agent, cursor));`;

/** better-sqlite3 alone: WAL, full syncs unless told otherwise. */
export function openRawSqlite(path: string, synchronous: 'FULL' | 'NORMAL' = 'FULL'): RawDatabase {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${synchronous}`);
  db.exec(SCHEMA);
  const createAgent = db.prepare('INSERT INTO agents VALUES (NULL, 1, 0, 0, 0, 0, ?, -1, NULL, NULL, ?)');
  const insertMessage = db.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?)');
  const insertCall = db.prepare('INSERT INTO tool_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const insertEvent = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)');
  const moveCursor = db.prepare('UPDATE agents SET cursor = ? WHERE agent = ?');
  const updateAgent = db.prepare(
    `UPDATE agents SET version = ?, message_count = ?, call_count = ?, cursor = ?, status = ?, updated_at = ?,
       last_sfp_index = ?, bookmark_seq = ?, bookmark_at = ? WHERE agent = ?`,
  );
  const select = db.prepare('SELECT payload FROM messages WHERE agent = ? ORDER BY seq').pluck();

  const commit = db.transaction((agent: RawAgent, turn: Turn) => {
    const rows = rowsOf(agent, turn);
    for (const row of rows.messages) insertMessage.run(agent.key, ...row);
    for (const row of rows.calls) insertCall.run(agent.key, ...row);
    for (const row of rows.events) insertEvent.run(agent.key, ...row);
    advance(agent, rows);
    const { lastSfpIndex, lastBookmark } = turn.info;
    updateAgent.run(
      agent.version,
      agent.messages,
      agent.calls,
      agent.cursor,
      0,
      Date.now(),
      lastSfpIndex,
      lastBookmark?.seq ?? null,
      lastBookmark?.timestamp ?? null,
      agent.key,
    );
  });
  const selectEvents = db
    .prepare('SELECT cursor, channel, created_at, payload FROM events WHERE agent = ? ORDER BY cursor')
    .raw();
  const append = db.transaction((agent: RawAgent, events: readonly NewEvent[]) => {
    for (const row of eventRows(agent, events)) insertEvent.run(agent.key, ...row);
    agent.cursor += events.length;
    moveCursor.run(agent.cursor, agent.key);
  });

  return {
    async create(metadata) {
      const { lastInsertRowid } = createAgent.run(Date.now(), JSON.stringify(metadata));
      return { key: Number(lastInsertRowid), version: 1, messages: 0, calls: 0, cursor: 0 };
    },
    commit: (agent, turn) => commit.immediate(agent, turn),
    load: ({ key }) => (select.all(key) as string[]).map((payload) => JSON.parse(payload) as Message),
    append: (agent, events) => append.immediate(agent, events),
    events: ({ key }) => (selectEvents.all(key) as RawEvent[]).map(storedEvent),
    close: async () => {
      db.close();
    },
  };
}
