import pg from 'pg';
import type { Driver } from '../../src/sql/driver.ts';
import { statement } from '../../src/sql/statement.ts';
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
    const isTable = table !== '' && !isSubquery && !['c', 'n', 'json_each', 'CONSTANT'].includes(table);
    if (isTable && !(index && WALKED.test(index))) complaints.push(`scans: ${detail}`);
    const isSort = detail.startsWith('USE TEMP B-TREE');
    // The chain of branches is sorted by its depth.
    if (isSort && !sorts && !query.name.endsWith('_state')) complaints.push(`sorts: ${detail}`);
  }
  return complaints;
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: PlanNode[];
}

/** What is wrong with PostgreSQL's plans for a statement: with these values, and prepared for any. */
export async function complainAboutPostgres(
  client: pg.Client,
  query: Recorded,
  sorts: boolean,
): Promise<string[]> {
  const values = query.params.map((value) => {
    if (value === null) return 'NULL';
    if (typeof value === 'number') return String(value);
    return pg.escapeLiteral(Array.isArray(value) ? `{${value.join(',')}}` : String(value));
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
    return sorts ? complaints.filter((complaint) => !complaint.includes('sorts: ')) : complaints;
  } finally {
    await client.query('DEALLOCATE explained');
  }
}

/** Tables so small here that reading all of them is right. */
const SMALL = /kode_data_(snapshots|usage|todos|compactions)$/;
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
  if (type === 'Seq Scan' && !SMALL.test(name)) complaints.push(`scans: ${name}`);
  if (type.endsWith('Sort') && !limited.sorted) complaints.push(`sorts: ${name}`);
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
