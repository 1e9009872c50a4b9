import { type Batch, columnsOf, copiedValues, type Op } from '../sql/port/batch.ts';
import { type ColumnKind, table } from '../sql/schema/tables.ts';
import { numberArray, type Param, TextArray } from './params.ts';

export type RowOp = Exclude<Op, { kind: 'reindex' }>;

/** Gives a parameter's place in the text; `value` finds it in each batch of the shape. */
export type Bind = (value: (batch: Batch, ops: readonly Op[]) => Param, type: string) => string;

const TYPES: Record<ColumnKind, string> = {
  key: 'bigint',
  int: 'bigint',
  small: 'smallint',
  real: 'double precision',
  instant: 'bigint',
  stamp: 'bigint',
  cursor: 'bigint',
  text: 'text',
  name: 'text',
  jsonb: 'text',
};

/** Whatever the text of `rowsPart` depends on. */
export function rowsShape(op: RowOp): string {
  const what = `${op.kind} ${op.table} ${op.rows.length === 1 ? 1 : '*'}`;
  switch (op.kind) {
    case 'insert':
      return what;
    case 'upsert':
      return `${what} ${op.keep}`;
    case 'update':
      return `${what} ${op.columns} ${op.keep}`;
    case 'copy':
      return `${what} ${op.columns} ${op.append}`;
    case 'remove':
      return `${what} ${op.columns}`;
  }
}

/**
 * An operation on its table. Several rows come as one array for each column, so that their number isn't
 * part of the text; a single one comes as it is, which is cheaper to write and to read.
 */
export function rowsPart(
  op: RowOp,
  index: number,
  source: string | undefined,
  guarded: boolean,
  bind: Bind,
): string {
  const definition = table(op.table);
  const columns = columnsOf(op);
  const single = op.rows.length === 1;
  const kindOf = (column: string): ColumnKind => definition.columns[column] ?? 'text';
  const given = new Map(
    columns.map((column, i) => {
      const type = TYPES[kindOf(column)];
      if (!single) return [column, bind((_batch, ops) => columnOf(ops[index], i, type), `${type}[]`)];
      return [column, bind((_batch, ops) => ops[index]?.rows[0]?.[i] ?? null, type)];
    }),
  );
  const rows = single ? [] : [`unnest(${[...given.values()].join(', ')}) AS u(${columns.join(', ')})`];
  const from = [...(source === undefined ? [] : [source]), ...rows];
  const raw = (column: string) => (single ? String(given.get(column)) : `u.${column}`);
  const value = (column: string) => finished(raw(column), kindOf(column), guarded);
  const { key } = definition;
  const rest = columns.filter((column) => !key.includes(column));
  switch (op.kind) {
    case 'insert':
    case 'upsert': {
      const conflict =
        op.kind === 'insert'
          ? ''
          : ` ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${rest
              .filter((column) => !op.keep?.includes(column))
              .map((column) => `${column} = excluded.${column}`)
              .join(', ')}`;
      return `INSERT INTO {${op.table}} (${columns.join(', ')}) SELECT ${columns.map(value).join(', ')}${clause('FROM', from)}${conflict}`;
    }
    case 'update': {
      const set = rest.map((column) =>
        op.keep.includes(column)
          ? `${column} = coalesce(${value(column)}, t.${column})`
          : `${column} = ${value(column)}`,
      );
      return `UPDATE {${op.table}} t SET ${set.join(', ')}${clause('FROM', from)} WHERE ${matches(key, raw)}`;
    }
    case 'copy': {
      const all = Object.keys(definition.columns).join(', ');
      const tree = bind((_batch, ops) => sourceOf(ops[index])?.tree ?? null, 'bigint');
      const agent = bind((_batch, ops) => sourceOf(ops[index])?.agent ?? null, 'bigint');
      return `INSERT INTO {${op.table}} (${all}) SELECT ${copiedValues(op, value)}
        FROM ${[`{${op.table}} AS s`, ...from].join(', ')} WHERE s.tree = ${tree} AND s.agent = ${agent}`;
    }
    case 'remove':
      return `DELETE FROM {${op.table}} t${clause('USING', from)} WHERE ${matches(columns, raw)}`;
  }
}

function columnOf(op: Op | undefined, i: number, type: string): Param {
  const values = op?.rows.map((row) => row[i] ?? null) ?? [];
  return type === 'text' ? new TextArray(values) : numberArray(values);
}

function sourceOf(op: Op | undefined): { tree: number; agent: number } | undefined {
  return op?.kind === 'copy' ? op.source : undefined;
}

function clause(word: string, from: readonly string[]): string {
  return from.length > 0 ? ` ${word} ${from.join(', ')}` : '';
}

function matches(columns: readonly string[], raw: (column: string) => string): string {
  return columns.map((column) => `t.${column} = ${raw(column)}`).join(' AND ');
}

/** Completes stamps and cursors from the head's row: see `ColumnKind`. */
function finished(value: string, kind: ColumnKind, guarded: boolean): string {
  if (kind === 'jsonb') return `${value}::jsonb`;
  if (guarded && kind === 'stamp') return `greatest(${value}, head.floor_at)`;
  if (guarded && kind === 'cursor') return `head.first_cursor + ${value}`;
  return value;
}
