import type { ConsistencyIssue } from '../../store/store.ts';
import type { Dialect } from '../port/dialect.ts';
import type { Driver } from '../port/driver.ts';
import { statement } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import type { TableName } from '../schema/tables.ts';
import type { Rule } from './rule.ts';

const OF_AGENTS = [
  'events',
  'deltas',
  'todos',
  'usage',
  'snapshots',
  'documents',
  'operations',
  'metadata_jsonb',
] as const satisfies TableName[];

const ROWS_PER_PAGE = 1_000;
/** The one table that isn't in the order of trees. */
const METADATA = statement(
  'check_metadata',
  `SELECT m.path, m.value, m.agent, m.tree, h.agent AS living FROM {metadata} m
     LEFT JOIN {heads} h ON h.tree = m.tree AND h.agent = m.agent
   WHERE (m.path, m.value, m.agent, m.tree) > ($1, $2, $3, $4)
   ORDER BY m.path, m.value, m.agent, m.tree LIMIT ${ROWS_PER_PAGE}`,
);

/** What an index of metadata has of agents that don't exist. */
export async function* orphanedMetadata(driver: Driver): AsyncGenerator<ConsistencyIssue> {
  if (!driver.dialect.hasTable('metadata')) return;
  for (let after: SqlValue[] = ['', '', 0, 0]; ; ) {
    const rows = await driver.read(METADATA, after);
    for (const { agent, path, living } of rows) {
      const detail = `a row of metadata ("${path}") is left of agent key ${agent}, which doesn't exist`;
      if (living === null) yield { rule: 'orphan-rows', detail };
    }
    const last = rows.at(-1);
    if (!last || rows.length < ROWS_PER_PAGE) return;
    after = [last.path ?? '', last.value ?? '', last.agent ?? 0, last.tree ?? 0];
  }
}

const OF_BRANCHES = ['messages', 'tool_calls', 'compactions'] as const satisfies TableName[];

/** Rows that a deletion should have taken along. */
export function orphanRules(dialect: Dialect): Rule[] {
  const ofAgents = OF_AGENTS.filter((table) => dialect.hasTable(table)).map(
    (table): Rule => ({
      name: 'orphan-rows',
      query: (scope) =>
        `SELECT r.agent, count(*) AS stored FROM {${table}} r
         WHERE ${scope.trees('r')}
           AND NOT EXISTS (SELECT 1 FROM {heads} h WHERE h.tree = r.tree AND h.agent = r.agent)
         GROUP BY r.tree, r.agent`,
      detail: (row) =>
        `${row.stored} rows of ${table} are left of agent key ${row.agent}, which doesn't exist`,
    }),
  );
  const ofBranches = OF_BRANCHES.map(
    (table): Rule => ({
      name: 'orphan-rows',
      query: (scope) =>
        `SELECT r.branch, count(*) AS stored FROM {${table}} r
         WHERE ${scope.trees('r')}
           AND NOT EXISTS (SELECT 1 FROM {branches} b WHERE b.tree = r.tree AND b.branch = r.branch)
         GROUP BY r.tree, r.branch`,
      detail: (row) => `${row.stored} rows of ${table} are left of branch ${row.branch}, which doesn't exist`,
    }),
  );
  return [...ofAgents, ...ofBranches];
}
