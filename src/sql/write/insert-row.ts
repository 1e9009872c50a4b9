import type { Script } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { composed } from '../port/statement.ts';
import type { Row, SqlValue } from '../port/values.ts';
import { type TableName, table } from '../schema/tables.ts';

/** Inserts one row within a script: values by column, or in the order of the table's columns. */
export function* insertRow(
  name: TableName,
  row: Row | readonly SqlValue[],
  mode: 'insert' | 'upsert' = 'insert',
): Script<void> {
  const definition = table(name);
  const columns = Object.keys(definition.columns);
  const values = Array.isArray(row)
    ? (row as readonly SqlValue[])
    : columns.map((column) => (row as Row)[column] ?? null);
  const params = columns.map((_column, i) => `$${i + 1}`).join(', ');
  const set = columns
    .filter((column) => !definition.key.includes(column))
    .map((column) => `${column} = excluded.${column}`)
    .join(', ');
  const conflict =
    mode === 'upsert' ? ` ON CONFLICT (${definition.key.join(', ')}) DO UPDATE SET ${set}` : '';
  const text = `INSERT INTO {${name}} (${columns.join(', ')}) VALUES (${params})${conflict}`;
  yield* run(composed(`script_${mode}_${name}`, text), values);
}
