import type { ContentBlock } from '../model/message.ts';
import { type Column, renderTable } from './table.ts';

/** What a command runs in. `process` is one. */
export interface Terminal {
  stdout: Output;
  stderr: Output;
  env: NodeJS.ProcessEnv;
}

/** An agent's id is what other commands ask for: it gives way only when it is longer than a generated one. */
export const agentColumn: Column<{ agentId: string }> = {
  title: 'AGENT',
  value: (row) => row.agentId,
  min: 30,
};

export interface Output extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

/** Rows as a table for people, or with `json` as one array for programs. */
export function printRows<Row>(
  terminal: Terminal,
  rows: readonly Row[],
  { json, columns, nothing }: { json: boolean | undefined; columns: Column<Row>[]; nothing: string },
): void {
  if (json) printJson(terminal, rows);
  else if (rows.length === 0) terminal.stderr.write(`${nothing}\n`);
  else terminal.stdout.write(renderTable(columns, rows, widthOf(terminal)));
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Columns of the terminal. A file or a pipe has no end of the line, unless COLUMNS sets one. */
export function widthOf({ stdout, env }: Terminal): number {
  if (stdout.isTTY) return stdout.columns || 80;
  const columns = Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? columns : Number.POSITIVE_INFINITY;
}

export function formatInstant(instant: Date): string {
  return instant.toISOString().replace('T', ' ').slice(0, 19);
}

export function formatNumber(value: number): string {
  return value.toLocaleString('en-US');
}

/** A value as a short text: strings as they are, anything else as JSON. */
export function glimpse(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function blockGlimpse(block: ContentBlock): string {
  if (block.type === 'text' && 'text' in block) return glimpse(block.text);
  if (block.type === 'tool_use' && 'name' in block) return `→ ${glimpse(block.name)} ${glimpse(block.input)}`;
  if (block.type === 'tool_result' && 'content' in block) return `← ${glimpse(block.content)}`;
  return `[${block.type}]`;
}
