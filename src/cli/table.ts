import { oneLine } from './errors.ts';
import { textWidth, truncate } from './text-width.ts';

export interface Column<Row> {
  title: string;
  value(row: Row): string | number | undefined;
  align?: 'right';
  /** The column may be narrowed to this width when the terminal has too little room. */
  min?: number;
  /** The column is left out when none of its cells has anything in it. */
  optional?: true;
}

const GAP = '  ';
/** A cell is a glimpse, also where the output has no width: what is long is had with `--json`. */
const MAX_CELL = 200;

/** Rows as aligned lines under a line of titles, none wider than `width`. */
export function renderTable<Row>(all: Column<Row>[], rows: readonly Row[], width: number): string {
  const columns = all.filter((column) => !column.optional || rows.some((row) => cellOf(column, row) !== ''));
  const titles = columns.map((column) => column.title);
  const cells = rows.map((row) => columns.map((column) => cellOf(column, row)));
  const widths = titles.map((title, index) =>
    cells.reduce((widest, line) => Math.max(widest, textWidth(line[index] ?? '')), textWidth(title)),
  );
  narrow(columns, widths, width);
  return [titles, ...cells].map((line) => renderLine(columns, line, widths, width)).join('');
}

function cellOf<Row>(column: Column<Row>, row: Row): string {
  return truncate(oneLine(String(column.value(row) ?? '').slice(0, MAX_CELL * 10)), MAX_CELL);
}

/** Takes from the widest of the columns that may give, until the line fits or none can give more. */
function narrow<Row>(columns: Column<Row>[], widths: number[], width: number): void {
  let excess = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1)) - width;
  while (excess > 0) {
    let widest = -1;
    for (const [index, { min }] of columns.entries()) {
      const own = widths[index] ?? 0;
      if (min !== undefined && own > min && own > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
}

function renderLine<Row>(columns: Column<Row>[], line: string[], widths: number[], width: number): string {
  const padded = columns.map(({ align }, index) => {
    const own = widths[index] ?? 0;
    const text = truncate(line[index] ?? '', own);
    const blanks = ' '.repeat(own - textWidth(text));
    return align === 'right' ? blanks + text : text + blanks;
  });
  return `${truncate(padded.join(GAP).trimEnd(), width)}\n`;
}
