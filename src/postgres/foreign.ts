import { SchemaVersionError } from '../errors.ts';
import type { Driver } from '../sql/port/driver.ts';
import { statement } from '../sql/port/statement.ts';

/** Columns that the tables of KODE SDK 2.7 have together. An application may well have tables of these names. */
const TABLES_OF_2_7 = statement(
  'find_tables_of_2_7',
  `SELECT count(*) AS columns FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT a.attisdropped
     AND (c.relname, a.attname) IN (('agents', 'agent_id'), ('agents', 'config_version'), ('agents', 'last_sfp_index'),
       ('messages', 'agent_id'), ('messages', 'seq'), ('tool_calls', 'agent_id'), ('tool_calls', 'audit_trail'))`,
);
const COLUMNS = 7;

/** Refuses a schema that has the tables of KODE SDK 2.7, beside which an empty store would look healthy. */
export async function refuseTablesOf27(driver: Driver, schema: string): Promise<void> {
  const [found] = await driver.read(TABLES_OF_2_7, [schema]);
  if (Number(found?.columns) < COLUMNS) return;
  throw new SchemaVersionError(
    `The schema "${schema}" has the tables of KODE SDK 2.7, which this version doesn't read. Nothing was changed. Choose another schema for this version (the option "schema"). "kode migrate", which brings the agents over, comes with a later version.`,
  );
}
