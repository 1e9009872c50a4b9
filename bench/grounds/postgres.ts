import pg from 'pg';
import { PostgresStore } from '../../src/postgres/store.ts';
import { Network } from '../../test/support/network.ts';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { Fleets } from '../fleet/fleets.ts';
import { openPostgresFleet } from '../fleet/postgres.ts';
import type { Ground, GroundOptions, Inspector, Target } from '../ground.ts';
import { openRawPostgres } from '../raw/postgres.ts';

/** A server as it comes, except that checkpoints don't fall into the middle of a comparison. */
const SETTINGS = { checkpoint_timeout: '1h', max_wal_size: '8GB', max_connections: '100' };
const CONNECTIONS = 10;
/** The guide's. */
const POOL = { max: CONNECTIONS, idleTimeoutMillis: 30_000, connectionTimeoutMillis: 2_000 };

/** Syncs to the disk as in production. */
export async function postgresTarget(): Promise<Target> {
  const server = await startPostgres({ major: 18, durable: true, settings: SETTINGS });
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  const { rows } = await admin.query(
    "SELECT split_part(current_setting('server_version'), ' ', 1) AS version",
  );
  let grounds = 0;
  const fleets = new Fleets((agents) => openPostgresFleet(server.url, agents));
  return {
    name: 'postgres',
    version: `PostgreSQL ${rows[0].version}`,
    open: (options) => openGround(server.url, admin, `bench_${++grounds}`, options),
    fleet: (agents) => fleets.open(agents),
    async close() {
      await fleets.close();
      await admin.end();
      await server.stop();
    },
  };
}

async function openGround(
  url: string,
  admin: pg.Client,
  schema: string,
  { counted = false }: GroundOptions = {},
): Promise<Ground> {
  const network = counted ? await Network.to(url) : undefined;
  const pool = new pg.Pool({ connectionString: network?.url(url) ?? url, max: CONNECTIONS });
  const store = await new PostgresStore(pool, undefined, { schema }).open();
  const raw = await openRawPostgres(pool, `${schema}_raw`);
  return {
    store,
    raw,
    inspect: new PostgresInspector(admin, schema, network),
    extended: () => store,
    another: () => new PostgresStore({ connectionString: url, ...POOL }, undefined, { schema }).open(),
    async close() {
      await raw.close();
      await store.close();
      await pool.end();
      await network?.refuse();
      await admin.query('SET client_min_messages = warning');
      await admin.query(`DROP SCHEMA ${schema} CASCADE`);
    },
  };
}

class PostgresInspector implements Inspector {
  readonly #admin: pg.Client;
  readonly #schema: string;
  readonly #network: Network | undefined;

  constructor(admin: pg.Client, schema: string, network: Network | undefined) {
    this.#admin = admin;
    this.#schema = schema;
    this.#network = network;
  }

  async logged(): Promise<number> {
    return this.#number("SELECT pg_current_wal_insert_lsn() - '0/0'");
  }

  async size(): Promise<number> {
    return this.#number(
      `SELECT sum(pg_total_relation_size(oid)) FROM pg_class
       WHERE relkind = 'r' AND relnamespace = '${this.#schema}'::regnamespace`,
    );
  }

  async countWrites(table: string): Promise<() => Promise<number>> {
    const writes = `${this.#schema}.bench_writes`;
    await this.#admin.query(
      `CREATE TABLE ${writes} (n bigint);
       INSERT INTO ${writes} VALUES (0);
       CREATE FUNCTION ${writes}_add() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN UPDATE ${writes} SET n = n + 1; RETURN NULL; END $$;
       CREATE TRIGGER bench_writes AFTER INSERT OR UPDATE OR DELETE ON ${this.#schema}.${table}
         FOR EACH ROW EXECUTE FUNCTION ${writes}_add()`,
    );
    return () => this.#number(`SELECT n FROM ${writes}`);
  }

  requests(): number {
    if (!this.#network) throw new Error('Open the ground with { counted: true } to count round trips.');
    return this.#network.roundTrips;
  }

  async commits(): Promise<number> {
    throw new Error('Commits are counted in the write-ahead log of SQLite only.');
  }

  async #number(query: string): Promise<number> {
    const { rows } = await this.#admin.query<unknown[]>({ text: query, rowMode: 'array' });
    return Number(rows[0]?.[0]);
  }
}
