import { messageOf } from '../../model/foreign.ts';
import type { ConsistencyIssue } from '../../store/store.ts';
import type { Row } from '../port/values.ts';
import type { TableName } from '../schema/tables.ts';

/** Columns with JSON texts. */
export const TEXT_COLUMNS: Partial<Record<TableName, readonly string[]>> = {
  messages: ['payload'],
  tool_calls: ['input', 'output', 'error', 'approval', 'audit', 'long_id', 'long_name'],
  compactions: ['messages', 'metadata'],
  agents: ['lineage', 'metadata'],
  heads: ['breakpoint', 'failure', 'lease_by'],
  events: ['payload'],
  todos: ['payload'],
  deltas: ['payload'],
  snapshots: ['metadata', 'messages'],
  documents: ['payload'],
};

/** The column that says how many items the text is an array of. */
export const COUNT_COLUMN: Partial<Record<TableName, string>> = { events: 'count' };

/** What of a row's texts can't be what the store wrote. `count`: the column with the number of items. */
export function* brokenTexts(
  row: Row,
  columns: readonly string[],
  place: string,
  count?: string,
): Generator<ConsistencyIssue> {
  for (const column of columns) {
    const text = row[column];
    if (text === null || text === undefined) continue;
    try {
      const value: unknown = JSON.parse(String(text));
      if (count !== undefined && !(Array.isArray(value) && value.length === Number(row[count]))) {
        yield { rule: 'payload-json', detail: `${column} of ${place} isn't ${row[count]} of them` };
      }
    } catch (error) {
      yield { rule: 'payload-json', detail: `${column} of ${place} isn't JSON: ${messageOf(error)}` };
    }
  }
}
