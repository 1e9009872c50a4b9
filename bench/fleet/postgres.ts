import pg from 'pg';
import { PostgresStore } from '../../src/postgres/store.ts';
import { TABLE_PREFIX } from '../../src/sql/port/dialect.ts';
import { fillFleet } from './fill.ts';
import { CURSOR_ROWS, type Fleet, type RawReader, type RawRow } from './fleet.ts';
import { RAW_INDEXES, RAW_TABLES, withTables } from './raw-tables.ts';

const CONNECTIONS = 10;
/** Reads the table itself, by one process: what a count costs where no index answers it. */
const FULL_SCAN = ['enable_indexonlyscan', 'enable_indexscan', 'enable_bitmapscan'];

/** Made anew for each server, which lives as long as the run. */
export async function openPostgresFleet(url: string, agents: number): Promise<Fleet> {
  const schema = `fleet_${agents}`;
  const rawSchema = `${schema}_raw`;
  await buildStore(url, schema, agents);
  await buildRaw(url, schema, rawSchema);
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  const store = await new PostgresStore(pool, undefined, { schema }).open();
  return {
    agents,
    store,
    raw: readRawPostgres(pool, rawSchema),
    place: { backend: 'postgres', url, schema, rawSchema },
    fullScan: (table) => fullScan(pool, `${schema}.${TABLE_PREFIX}${table}`),
    async close() {
      await store.close();
      await pool.end();
    },
  };
}

async function buildStore(url: string, schema: string, agents: number): Promise<void> {
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    options: '-c synchronous_commit=off',
  });
  const store = await new PostgresStore(pool, undefined, { schema }).open();
  await fillFleet(store, agents);
  await store.close();
  await pool.end();
}

async function buildRaw(url: string, schema: string, rawSchema: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE SCHEMA ${rawSchema}`);
    const table = (name: string) =>
      name.startsWith('store.') ? `${schema}.${TABLE_PREFIX}${name.slice(6)}` : `${rawSchema}.${name}`;
    for (const text of [...RAW_TABLES, ...RAW_INDEXES]) await client.query(withTables(text, table));
    // As autovacuum would leave it, and not at a moment of its own choice.
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

export function readRawPostgres(pool: pg.Pool, schema: string): RawReader {
  const rendered = new Map<string, { name: string; text: string }>();
  const render = (text: string) => {
    let known = rendered.get(text);
    if (!known) {
      let count = 0;
      const numbered = text.replaceAll('?', () => `$${++count}`);
      known = {
        name: `${schema}_${rendered.size}`,
        text: withTables(numbered, (name) => `${schema}.${name}`),
      };
      rendered.set(text, known);
    }
    return known;
  };
  return {
    all: async (text, params) => (await pool.query<RawRow>({ ...render(text), values: [...params] })).rows,
    async *cursor(text) {
      const client = await pool.connect();
      try {
        await client.query(`BEGIN; DECLARE bench NO SCROLL CURSOR FOR ${render(text).text}`);
        for (;;) {
          const { rows } = await client.query<RawRow>(`FETCH ${CURSOR_ROWS} FROM bench`);
          yield rows;
          if (rows.length < CURSOR_ROWS) break;
        }
      } finally {
        await client.query('ROLLBACK');
        client.release();
      }
    },
    close: async () => undefined,
  };
}

async function fullScan(pool: pg.Pool, table: string): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN; ${FULL_SCAN.map((name) => `SET LOCAL ${name} = off`).join('; ')}`);
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${table}`);
    return Number(rows[0]?.count);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}
