import { columnsOf, copiedValues, type Op } from '../sql/port/batch.ts';
import { type Statement, statement } from '../sql/port/statement.ts';
import type { SqlValue } from '../sql/port/values.ts';
import { table } from '../sql/schema/tables.ts';

type RowOp = Exclude<Op, { kind: 'reindex' }>;

/** How the rows of an operation are written, one by one. */
export interface RowWriter {
  readonly statement: Statement;
  /** Columns that are finished while the batch is written: see `ColumnKind`. */
  readonly stamps: readonly number[];
  readonly cursors: readonly number[];
}

/** Of an operation on its own the source knows some fifty shapes: tables, and lists of columns that are constants. */
const writers = new Map<string, RowWriter>();

/** The same for every operation of a shape, so that no text is composed, and no column looked up, per commit. */
export function rowWriter(op: RowOp): RowWriter {
  const shape = shapeOf(op);
  let writer = writers.get(shape);
  if (!writer) {
    const columns = columnsOf(op);
    const kinds = columns.map((column) => table(op.table).columns[column]);
    writer = {
      statement: statement(`${op.kind}_${op.table}`, rowText(op, columns)),
      stamps: kinds.flatMap((kind, i) => (kind === 'stamp' ? [i] : [])),
      cursors: kinds.flatMap((kind, i) => (kind === 'cursor' ? [i] : [])),
    };
    writers.set(shape, writer);
  }
  return writer;
}

function shapeOf(op: RowOp): string {
  switch (op.kind) {
    case 'insert':
      return `insert ${op.table}`;
    case 'upsert':
      return `upsert ${op.table} ${op.keep}`;
    case 'update':
      return `update ${op.table} ${op.columns} ${op.keep}`;
    case 'copy':
      return `copy ${op.table} ${op.columns} ${op.append}`;
    case 'remove':
      return `remove ${op.table} ${op.columns}`;
  }
}

/** A row as it is written; the operation's own stays as it is, because a batch may run again. */
export function finish(
  row: SqlValue[],
  { stamps, cursors }: RowWriter,
  firstCursor: number,
  floor: number,
): SqlValue[] {
  if (stamps.length + cursors.length === 0) return row;
  const finished = row.slice();
  for (const i of stamps) finished[i] = Math.max(Number(row[i]), floor);
  for (const i of cursors) finished[i] = firstCursor + Number(row[i]);
  return finished;
}

function rowText(op: RowOp, columns: readonly string[]): string {
  const { key } = table(op.table);
  const params = columns.map((_column, i) => `$${i + 1}`).join(', ');
  const byKey = (names: readonly string[]) =>
    names.map((column) => `${column} = $${columns.indexOf(column) + 1}`).join(' AND ');
  switch (op.kind) {
    case 'insert':
      return `INSERT INTO {${op.table}} (${columns.join(', ')}) VALUES (${params})`;
    case 'upsert': {
      const set = columns
        .filter((column) => !key.includes(column) && !op.keep?.includes(column))
        .map((column) => `${column} = excluded.${column}`);
      return `INSERT INTO {${op.table}} (${columns.join(', ')}) VALUES (${params})
         ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.join(', ')}`;
    }
    case 'update': {
      const set = columns
        .filter((column) => !key.includes(column))
        .map((column) => {
          const value = `$${columns.indexOf(column) + 1}`;
          return `${column} = ${op.keep.includes(column) ? `coalesce(${value}, ${column})` : value}`;
        });
      return `UPDATE {${op.table}} SET ${set.join(', ')} WHERE ${byKey(key)}`;
    }
    case 'copy': {
      const values = copiedValues(op, (column) => `$${columns.indexOf(column) + 1}`);
      return `INSERT INTO {${op.table}} (${Object.keys(table(op.table).columns).join(', ')}) SELECT ${values}
         FROM {${op.table}} AS s WHERE s.tree = $${columns.length + 1} AND s.agent = $${columns.length + 2}`;
    }
    case 'remove':
      return `DELETE FROM {${op.table}} WHERE ${byKey(columns)}`;
  }
}
