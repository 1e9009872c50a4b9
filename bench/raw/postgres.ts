import type { Pool } from 'pg';
import type { Message } from '../../src/model/message.ts';
import {
  advance,
  eventRows,
  type RawAgent,
  type RawDatabase,
  type RawEvent,
  rowsOf,
  storedEvent,
} from './raw.ts';

function schemaOf(name: string): string {
  return `
  CREATE SCHEMA ${name};
  CREATE TABLE ${name}.agents (agent bigserial PRIMARY KEY, version bigint NOT NULL, message_count bigint NOT NULL,
    call_count bigint NOT NULL, cursor bigint NOT NULL, status smallint NOT NULL, updated_at bigint NOT NULL,
    last_sfp_index bigint NOT NULL, bookmark_seq bigint, bookmark_at bigint, metadata text NOT NULL);
  CREATE TABLE ${name}.messages (agent bigint NOT NULL, seq bigint NOT NULL, role smallint NOT NULL,
    created_at bigint NOT NULL, payload text NOT NULL, PRIMARY KEY (agent, seq));
  CREATE TABLE ${name}.tool_calls (agent bigint NOT NULL, call_seq bigint NOT NULL, tool_call_id text NOT NULL,
    tool_name text NOT NULL, state smallint NOT NULL, is_error smallint NOT NULL, message_seq bigint NOT NULL,
    created_at bigint NOT NULL, duration_ms double precision, input text NOT NULL, output text, error text,
    PRIMARY KEY (agent, call_seq));
  CREATE TABLE ${name}.events (agent bigint NOT NULL, cursor bigint NOT NULL, channel smallint NOT NULL,
    created_at bigint NOT NULL, payload text NOT NULL, PRIMARY KEY (agent, cursor));`;
}

/** Tables in a schema of their own; every statement is prepared by name, and a turn is one of them. */
export async function openRawPostgres(pool: Pool, name: string): Promise<RawDatabase> {
  await pool.query(schemaOf(name));
  const commit = `
    WITH head AS (UPDATE ${name}.agents SET version = $2::bigint, message_count = $3::bigint, call_count = $4::bigint,
        cursor = $5::bigint, status = $6::smallint, updated_at = $7::bigint, last_sfp_index = $8::bigint,
        bookmark_seq = $9::bigint, bookmark_at = $10::bigint WHERE agent = $1::bigint),
      m AS (INSERT INTO ${name}.messages
        SELECT $1::bigint, * FROM unnest($11::bigint[], $12::smallint[], $13::bigint[], $14::text[])),
      t AS (INSERT INTO ${name}.tool_calls
        SELECT $1::bigint, * FROM unnest($15::bigint[], $16::text[], $17::text[], $18::smallint[], $19::smallint[],
          $20::bigint[], $21::bigint[], $22::double precision[], $23::text[], $24::text[], $25::text[])),
      e AS (INSERT INTO ${name}.events
        SELECT $1::bigint, * FROM unnest($26::bigint[], $27::smallint[], $28::bigint[], $29::text[]))
    SELECT 1`;
  const append = `
    WITH head AS (UPDATE ${name}.agents SET cursor = $2 WHERE agent = $1::bigint)
    INSERT INTO ${name}.events
      SELECT $1::bigint, * FROM unnest($3::bigint[], $4::smallint[], $5::bigint[], $6::text[])`;
  const prepared = (label: string, text: string, values: unknown[]) =>
    pool.query({ name: `${name}_${label}`, text, values });

  return {
    async create(metadata) {
      const { rows } = await prepared(
        'create',
        `INSERT INTO ${name}.agents (version, message_count, call_count, cursor, status, updated_at, last_sfp_index,
           metadata) VALUES (1, 0, 0, 0, 0, $1, -1, $2) RETURNING agent`,
        [Date.now(), JSON.stringify(metadata)],
      );
      return { key: Number(rows[0].agent), version: 1, messages: 0, calls: 0, cursor: 0 };
    },
    async commit(agent, turn) {
      const rows = rowsOf(agent, turn);
      advance(agent, rows);
      const { lastSfpIndex, lastBookmark } = turn.info;
      await prepared('commit', commit, [
        agent.key,
        agent.version,
        agent.messages,
        agent.calls,
        agent.cursor,
        0,
        Date.now(),
        lastSfpIndex,
        lastBookmark?.seq,
        lastBookmark?.timestamp,
        ...columns(rows.messages, 4),
        ...columns(rows.calls, 11),
        ...columns(rows.events, 4),
      ]);
    },
    async load({ key }: RawAgent) {
      const text = `SELECT payload FROM ${name}.messages WHERE agent = $1 ORDER BY seq`;
      const { rows } = await prepared('load', text, [key]);
      return (rows as { payload: string }[]).map(({ payload }) => JSON.parse(payload) as Message);
    },
    async append(agent, events) {
      const rows = eventRows(agent, events);
      agent.cursor += events.length;
      await prepared('append', append, [agent.key, agent.cursor, ...columns(rows, 4)]);
    },
    async events({ key }: RawAgent) {
      const text = `SELECT cursor, channel, created_at, payload FROM ${name}.events WHERE agent = $1 ORDER BY cursor`;
      const { rows } = await pool.query({ name: `${name}_events`, text, values: [key], rowMode: 'array' });
      return (rows as RawEvent[]).map(([cursor, channel, at, payload]) =>
        storedEvent([Number(cursor), channel, Number(at), payload]),
      );
    },
    async close() {
      await pool.query(`DROP SCHEMA ${name} CASCADE`);
    },
  };
}

/** Rows as one array for each column. */
function columns(rows: readonly (readonly unknown[])[], count: number): unknown[][] {
  return Array.from({ length: count }, (_, i) => rows.map((row) => row[i]));
}
