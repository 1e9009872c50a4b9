import type { Dialect } from '../dialect.ts';
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
  'metadata',
  'metadata_jsonb',
] as const satisfies TableName[];

const OF_BRANCHES = ['messages', 'tool_calls', 'compactions'] as const satisfies TableName[];

/** Rows that a deletion should have taken along. */
export function orphanRules(dialect: Dialect): Rule[] {
  const ofAgents = OF_AGENTS.filter((table) => table !== dialect.absentTable).map(
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
