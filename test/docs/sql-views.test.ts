import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AGENT_STATUSES } from '../../src/model/agent.ts';
import { TOOL_CALL_STATES } from '../../src/model/tool-call.ts';
import { root } from './samples.ts';

const page = readFileSync(join(root, 'docs', 'reference', 'sql-views.md'), 'utf8');
const schema = readFileSync(join(root, 'test', 'schema', 'sqlite.schema'), 'utf8');

/** The columns of each view, as the schema that databases have says. */
function columnsBySchema(): Record<string, string[]> {
  const views = schema.matchAll(/^CREATE VIEW (\w+) AS SELECT\n([\s\S]*?)\nFROM /gm);
  return Object.fromEntries(
    [...views].map(([, name = '', body = '']) => [
      name,
      [...body.matchAll(/ AS (\w+),?$/gm)].map(([, column = '']) => column).sort(),
    ]),
  );
}

/** The table below a heading that is a view's name. */
function tableOf(view: string): { columns: string; meaning: string }[] {
  const [, section = ''] = page.split(`## \`${view}\``);
  const [rows = ''] = section.split('\n## ');
  return rows
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, columns = '', meaning = ''] = line.split('|');
      return { columns, meaning };
    });
}

const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

describe('the page of SQL views', () => {
  it('has all columns that the views have, and no others', () => {
    const schemas = columnsBySchema();
    expect(Object.keys(schemas)).toEqual(['kode_messages', 'kode_sessions', 'kode_tool_calls']);
    const documented = Object.keys(schemas).map((view) => [
      view,
      tableOf(view)
        .flatMap(({ columns }) => quoted(columns))
        .sort(),
    ]);
    expect(Object.fromEntries(documented)).toEqual(schemas);
  });

  it('has all words of a status and of a state', () => {
    const wordsOf = (view: string, column: string) =>
      quoted(tableOf(view).find(({ columns }) => quoted(columns).includes(column))?.meaning ?? '').sort();
    expect(wordsOf('kode_sessions', 'status')).toEqual([...AGENT_STATUSES].sort());
    expect(wordsOf('kode_tool_calls', 'state')).toEqual([...TOOL_CALL_STATES].sort());
  });
});
