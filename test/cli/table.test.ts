import { describe, expect, it } from 'vitest';
import { type Column, renderTable } from '../../src/cli/table.ts';
import { textWidth } from '../../src/cli/text-width.ts';

interface Row {
  name: string;
  count?: number;
  text: string;
}

const columns: Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'COUNT', value: (row) => row.count, align: 'right' },
  { title: 'TEXT', value: (row) => row.text, min: 8 },
];

function render(rows: Row[], width = Number.POSITIVE_INFINITY): string[] {
  return renderTable(columns, rows, width).split('\n');
}

describe('a table', () => {
  it('aligns its columns and ends each line without blanks', () => {
    expect(
      render([
        { name: 'a', count: 7, text: 'short' },
        { name: 'longer', text: 'no count' },
      ]),
    ).toEqual(['NAME    COUNT  TEXT', 'a           7  short', 'longer         no count', '']);
  });

  it('gives wide characters two columns', () => {
    expect(
      render([
        { name: '图书馆', count: 1, text: '有房间' },
        { name: 'abc', count: 22, text: 'x' },
      ]),
    ).toEqual(['NAME    COUNT  TEXT', '图书馆      1  有房间', 'abc        22  x', '']);
  });

  it('narrows what may be narrowed to the width of the terminal', () => {
    expect(render([{ name: 'fixed', count: 1, text: '预订系统没有回应' }], 25)).toEqual([
      'NAME   COUNT  TEXT',
      'fixed      1  预订系统没…',
      '',
    ]);
  });

  it('cuts lines where narrowing is not enough', () => {
    const lines = render([{ name: 'a name that is fixed', count: 1, text: 'words enough' }], 20);
    expect(lines.every((line) => textWidth(line) <= 20)).toBe(true);
    expect(lines[1]).toBe('a name that is fixe…');
  });

  it('keeps each row on its line, and the terminal as it is', () => {
    const lines = render([{ name: 'a', text: 'two\r\nlines\u2028\u001b[31mred\u001b[0m \u202Eback' }]);
    expect(lines[1]).toBe('a            two lines [31mred [0m back');
    expect(lines).toHaveLength(3);
  });

  it('shows a glimpse of a long text, also without a width', () => {
    const [, line = ''] = render([{ name: 'a', text: 'x'.repeat(100_000) }]);
    expect(line.length).toBeLessThan(250);
    expect(line.endsWith('…')).toBe(true);
  });
});
