import { type Command, Option } from 'commander';
import { configFromEnvironment, type PostgresConfig, type SqliteConfig } from '../store/config.ts';
import { createExtendedStore } from '../store/factory.ts';
import type { ExtendedStore } from '../store/store.ts';
import { UsageError } from './errors.ts';
import { text } from './flags.ts';

/** Flags of every command: which database to use, and for whom to print. */
export interface GlobalFlags {
  store?: 'sqlite' | 'postgres';
  db?: string;
  url?: string;
  schema?: string;
  json?: boolean;
}

export function addGlobalFlags(program: Command): void {
  program
    .addOption(
      new Option('--store <type>', 'kind of database (default: $KODE_STORE_TYPE, else sqlite)').choices([
        'sqlite',
        'postgres',
      ]),
    )
    .option('--db <path>', 'the SQLite database (default: $KODE_SQLITE_PATH, else ./data/agents.db)', text)
    .option('--url <url>', 'the PostgreSQL database, postgres://… (default: $POSTGRES_HOST and so on)', text)
    .option(
      '--schema <name>',
      'the schema of the PostgreSQL database (default: ?schema=… of the URL, else $KODE_POSTGRES_SCHEMA, else public)',
      text,
    )
    .option('--json', 'print JSON, for programs');
}

/** Runs the work on the chosen store and closes it, whatever happens. */
export async function withStore<T>(
  flags: GlobalFlags,
  work: (store: ExtendedStore) => Promise<T>,
): Promise<T> {
  await using store = await createExtendedStore(storeConfig(flags));
  return await work(store);
}

/** What the flags leave open is the environment's to say, as for every user of the store. */
function storeConfig({ store, db, url, schema }: GlobalFlags): SqliteConfig | PostgresConfig | undefined {
  if (db !== undefined && url !== undefined) throw new UsageError('give --db or --url, not both');
  if (db !== undefined && store === 'postgres') throw new UsageError('--db is for --store sqlite');
  if (url !== undefined && store === 'sqlite') throw new UsageError('--url is for --store postgres');
  const type = store ?? (url === undefined ? undefined : 'postgres');
  if (schema !== undefined && (db !== undefined || (type ?? typeOfEnvironment()) !== 'postgres')) {
    throw new UsageError('--schema is for --store postgres');
  }
  if (db !== undefined || type === 'sqlite') return { type: 'sqlite', dbPath: db };
  if (url !== undefined) return { type: 'postgres', connection: { connectionString: url }, schema };
  if (schema !== undefined) return { type: 'postgres', schema };
  return type && { type };
}

function typeOfEnvironment(): 'sqlite' | 'postgres' {
  return configFromEnvironment(process.env).type;
}
