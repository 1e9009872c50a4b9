import pg from 'pg';
import { PostgresStore } from '../../src/postgres/store.ts';

/** A schema that has grown beyond this is dropped: emptied tables keep their pages, and scans read them. */
const REUSED_UP_TO_BYTES = 8 * 1024 * 1024;

export interface ReadySchema {
  schema: string;
  /** Once every store on it is closed. */
  giveBack(): Promise<void>;
}

interface Place {
  url: string;
  client: pg.Client;
  createSchema(): Promise<string>;
  dropSchema(schema: string): Promise<void>;
}

/**
 * Schemas with the store's tables in them, as a store leaves them that has just been opened for the first
 * time. To make the tables and their indexes, and to drop them, takes longer than most tests do, so one that
 * is given back is emptied and given out again. For tests that only use a store on it: who changes tables
 * needs a schema of their own.
 */
export class ReadySchemas {
  readonly #place: Place;
  readonly #empty: string[] = [];
  /** What empties a schema. */
  readonly #scripts = new Map<string, string>();

  constructor(place: Place) {
    this.#place = place;
  }

  async take(): Promise<ReadySchema> {
    const schema = this.#empty.pop() ?? (await this.#make());
    return { schema, giveBack: () => this.#takeBack(schema) };
  }

  /** Drops those that nobody has. */
  async drop(): Promise<void> {
    for (const schema of this.#empty.splice(0)) await this.#place.dropSchema(schema);
  }

  async #make(): Promise<string> {
    const { url, createSchema } = this.#place;
    const schema = await createSchema();
    const store = new PostgresStore({ connectionString: url, max: 1 }, undefined, { schema });
    await store.exists('nobody');
    await store.close();
    this.#scripts.set(schema, await this.#scriptFor(schema));
    return schema;
  }

  /** Deletes whatever is in the tables, but for the rows that are in them now. */
  async #scriptFor(schema: string): Promise<string> {
    const { client } = this.#place;
    const tables = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = $1 and tablename like 'kode\\_data\\_%'",
      [schema],
    );
    const deletes: string[] = [];
    const inserts: string[] = [];
    for (const [i, { name }] of tables.rows.entries()) {
      const table = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
      const { rows } = await client.query<{ all: string | null }>(
        `select jsonb_agg(to_jsonb(t))::text as all from ${table} t`,
      );
      deletes.push(`d${i} as (delete from ${table})`);
      const all = rows[0]?.all;
      if (!all) continue;
      const kept = `jsonb_populate_recordset(null::${table}, ${pg.escapeLiteral(all)})`;
      inserts.push(`insert into ${table} select * from ${kept}`);
    }
    // Whether foreign keys hold is looked at when a statement has ended: of one, the order doesn't matter.
    const emptied = `with ${deletes.join(', ')} select 1`;
    // Sent as one query, the statements are one transaction.
    return [emptied, ...inserts].join(';\n');
  }

  async #takeBack(schema: string): Promise<void> {
    const { client, dropSchema } = this.#place;
    await client.query(this.#scripts.get(schema) ?? '');
    const { rows } = await client.query<{ bytes: string }>(
      'select sum(pg_relation_size(oid)) as bytes from pg_class where relnamespace = $1::regnamespace',
      [pg.escapeIdentifier(schema)],
    );
    if (Number(rows[0]?.bytes) > REUSED_UP_TO_BYTES) await dropSchema(schema);
    else this.#empty.push(schema);
  }
}
