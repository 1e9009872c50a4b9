import pg from 'pg';
import { TABLE_PREFIX } from '../../src/sql/port/dialect.ts';
import type { Driver } from '../../src/sql/port/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import type { Recorded } from './recorder.ts';

/** Indexes that are in a query's order from end to end: they are read as far as its limit needs. */
const WALKED = /kode_(agents_by_time|heads_by_activity|calls_failed|calls_with_approval)$/;

/** What is wrong with SQLite's plan for a statement. `sorts`: it may sort, or group, what it found. */
export async function complainAboutSqlite(
  driver: Driver,
  query: Recorded,
  sorts: boolean,
): Promise<string[]> {
  const rows = await driver.read(statement('explain', `EXPLAIN QUERY PLAN ${query.text}`), query.params);
  const details = rows.map((row) => String(row.detail));
  const complaints: string[] = [];
  for (const detail of details) {
    const [, table = '', index] = /^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?/.exec(detail) ?? [];
    const isSubquery = details.some((other) => /^(CO-ROUTINE|MATERIALIZE) (\w+)$/.exec(other)?.[2] === table);
    const isTable = isStored(query.text, table) && !isSubquery;
    if (isTable && !(index && WALKED.test(index))) complaints.push(`scans: ${detail}`);
    if (detail.includes(' AUTOMATIC ')) complaints.push(`indexes for itself: ${detail}`);
    // A tree may have thousands of forks.
    if (/^SEARCH .*\(tree=\?\)/.test(detail)) complaints.push(`reads a whole tree: ${detail}`);
    const isSort = detail.startsWith('USE TEMP B-TREE');
    // The chain of branches is sorted by its depth.
    if (isSort && !sorts && !query.name.endsWith('_state')) complaints.push(`sorts: ${detail}`);
  }
  return complaints;
}

/** Whether a name of a plan is that of a table of ours: else it is one of a subquery or of a function. */
function isStored(text: string, name: string): boolean {
  if (name.startsWith(TABLE_PREFIX)) return true;
  return name !== '' && new RegExp(`\\b${TABLE_PREFIX}\\w+ (AS )?${name}\\b`).test(text);
}

/** Tables of which `fill` makes so little that reading all of them is right. */
const SMALL: RegExp | null = /scans: Seq Scan kode_data_(snapshots|usage|todos|compactions)$/;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: PlanNode[];
}

/** What is wrong with PostgreSQL's plans for a statement: with these values, and prepared for any. `small`: see `SMALL`. */
export async function complainAboutPostgres(
  client: pg.Client,
  query: Recorded,
  sorts: boolean,
  small = SMALL,
): Promise<string[]> {
  const values = query.params.map((value) => {
    if (value === null) return 'NULL';
    if (typeof value === 'number') return String(value);
    return pg.escapeLiteral(String(value));
  });
  const execute = values.length > 0 ? `EXECUTE explained (${values.join(', ')})` : 'EXECUTE explained';
  await client.query(`PREPARE explained AS ${query.text}`);
  try {
    const complaints: string[] = [];
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await client.query(`SET plan_cache_mode = ${mode}`);
      const result = await client.query(`EXPLAIN (FORMAT JSON) ${execute}`);
      const root: PlanNode = result.rows[0]['QUERY PLAN'][0].Plan;
      complaints.push(...judge(root, { sorted: false, walked: false }).map((text) => `${mode} ${text}`));
    }
    return complaints.filter(
      (complaint) => !(sorts && complaint.includes('sorts: ')) && !(small?.test(complaint) ?? false),
    );
  } finally {
    await client.query('DEALLOCATE explained');
  }
}

/** Nodes that take no more from below than is taken from them. */
const PASSING = new Set([
  'Gather',
  'Gather Merge',
  'Subquery Scan',
  'Unique',
  'Merge Append',
  'Append',
  'Result',
]);

/** `sorted`: a sort here keeps only what the limit above needs. `walked`: so does a walk along an index. */
function judge(node: PlanNode, limited: { sorted: boolean; walked: boolean }): string[] {
  const type = node['Node Type'];
  const name = `${type} ${node['Index Name'] ?? node['Relation Name'] ?? ''}`;
  const complaints: string[] = [];
  const isStored = node['Relation Name']?.startsWith(TABLE_PREFIX);
  if (type === 'Seq Scan' && isStored) complaints.push(`scans: ${name}`);
  if (type.endsWith('Sort') && !limited.sorted) complaints.push(`sorts: ${name}`);
  // A tree may have thousands of forks.
  if (/^\(tree = [^()]*\)$/.test(node['Index Cond'] ?? '')) complaints.push(`reads a whole tree: ${name}`);
  const wholeIndex = type.startsWith('Index') && node['Index Cond'] === undefined;
  if (wholeIndex && !limited.walked) complaints.push(`reads the whole index: ${name}`);
  for (const [i, child] of (node.Plans ?? []).entries()) {
    if (type === 'Limit') complaints.push(...judge(child, { sorted: true, walked: true }));
    else if (PASSING.has(type)) complaints.push(...judge(child, limited));
    else if (type === 'Nested Loop' && i === 0) {
      complaints.push(...judge(child, { sorted: false, walked: limited.walked }));
    } else complaints.push(...judge(child, { sorted: false, walked: false }));
  }
  return complaints;
}
