import type Database from 'better-sqlite3';

interface Named {
  name: string;
}
interface Column extends Named {
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
}

/** What a database file is made of, in words that don't depend on the statements that made it. */
export function dumpSqlite(db: Database.Database): string {
  const all = <T>(sql: string, ...params: unknown[]) => db.prepare(sql).all(...params) as T[];
  const tables = all<Named & { wr: number }>(
    "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name LIKE 'kode%' ORDER BY name",
  );
  const lines = tables.flatMap(({ name, wr }) => [
    `TABLE ${name}${wr ? ' WITHOUT ROWID' : ''}`,
    ...all<Column>('SELECT * FROM pragma_table_xinfo(?) ORDER BY cid', name).map(columnLine),
    ...all<{ table: string; from: string; to: string }>(
      'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq',
      name,
    ).map((key) => `  ${key.from} REFERENCES ${key.table} (${key.to})`),
    ...all<Named & { unique: number; origin: string; sql: string | null }>(
      `SELECT i.name, i."unique", i.origin, m.sql FROM pragma_index_list(?) i
         LEFT JOIN sqlite_master m ON m.type = 'index' AND m.name = i.name WHERE i.origin = 'c' ORDER BY i.name`,
      name,
    ).map(({ sql }) => `  ${oneLine(sql ?? '')}`),
    '',
  ]);
  const views = all<{ sql: string }>("SELECT sql FROM sqlite_master WHERE type = 'view' ORDER BY name");
  return [...lines, ...views.map(({ sql }) => `${sql}\n`)].join('\n');
}

function columnLine({ name, type, notnull, dflt_value, pk }: Column): string {
  const parts = [`  ${name} ${type}`];
  if (notnull) parts.push('NOT NULL');
  if (dflt_value !== null) parts.push(`DEFAULT ${dflt_value}`);
  if (pk) parts.push(`KEY ${pk}`);
  return parts.join(' ');
}

function oneLine(sql: string): string {
  return sql.replace(/\s+/g, ' ');
}
