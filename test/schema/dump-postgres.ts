import type { Client } from 'pg';

/** What a schema is made of, as the server describes it; names without the schema's. */
export async function dumpPostgres(client: Client, schema: string): Promise<string> {
  const texts = async (sql: string) => {
    const { rows } = await client.query<{ text: string }>(sql, [schema]);
    return rows.map(({ text }) => text);
  };
  const parts = [
    ...(await texts(COLUMNS)),
    ...(await texts(CONSTRAINTS)),
    ...(await texts(INDEXES)),
    ...(await texts(SEQUENCES)),
    ...(await texts(FUNCTIONS)),
    ...(await texts(VIEWS)),
  ];
  return `${parts.join('\n\n').replaceAll(`${schema}.`, '')}\n`;
}

const OF_SCHEMA = 'WHERE n.nspname = $1';

const COLUMNS = `
  SELECT 'TABLE ' || c.relname || E'\\n' || string_agg(format('  %s %s%s%s%s', a.attname,
      format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || quote_ident(l.collname) ELSE '' END,
      CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
      CASE WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END),
    E'\\n' ORDER BY a.attnum) AS text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  ${OF_SCHEMA} AND c.relkind = 'r' GROUP BY c.relname ORDER BY c.relname`;

const CONSTRAINTS = `
  SELECT format('CONSTRAINT %s ON %s %s', o.conname, c.relname, pg_get_constraintdef(o.oid)) AS text
  FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  ${OF_SCHEMA} AND o.contype IN ('p', 'f', 'u', 'c') ORDER BY c.relname, o.conname`;

const INDEXES = `
  SELECT i.indexdef AS text FROM pg_indexes i JOIN pg_namespace n ON n.nspname = i.schemaname
  ${OF_SCHEMA} ORDER BY i.indexname`;

const SEQUENCES = `
  SELECT format('SEQUENCE %s INCREMENT BY %s', s.sequencename, s.increment_by) AS text
  FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname ${OF_SCHEMA} ORDER BY s.sequencename`;

const FUNCTIONS = `
  SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  ${OF_SCHEMA} ORDER BY p.proname`;

const VIEWS = `
  SELECT format(E'VIEW %s AS\\n%s', c.relname, pg_get_viewdef(c.oid, true)) AS text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  ${OF_SCHEMA} AND c.relkind = 'v' ORDER BY c.relname`;
