import type { MetadataMatch } from '../../store/metadata-filter.ts';
import type { StatsQuery } from '../../store/validate-filter.ts';
import type { Dialect } from '../port/dialect.ts';
import { STATUS_CODES } from '../schema/tables.ts';
import { metadataContained, metadataRow } from './metadata-index.ts';
import type { Params } from './params.ts';

/** One condition of a filter of agents. */
export interface Test {
  filter: 'templateId' | 'userId' | 'status' | 'created' | MetadataMatch;
  /** The row that it is about: of agents (a), heads (h) or the index of metadata (x). */
  row: 'a' | 'h' | 'x';
  column: string;
  sql(params: Params): string;
}

/** `origin`: the row in which agents are looked for; `driving`: the match that it was found by. */
export function testsOf(
  dialect: Dialect,
  filter: StatsQuery,
  origin: Test['row'],
  driving?: MetadataMatch,
): Test[] {
  const tests: Test[] = [];
  const compare = (
    name: Test['filter'],
    column: string,
    operator: string,
    value: string | number | undefined,
  ) => {
    if (value === undefined) return;
    const sql = (params: Params) => `a.${column} ${operator} ${params.bind(value)}`;
    tests.push({ filter: name, row: 'a', column, sql });
  };
  compare('userId', 'user_id', '=', filter.userId);
  compare('templateId', 'template_id', '=', filter.templateId);
  compare('created', 'created_at', '>=', filter.createdAfter);
  compare('created', 'created_at', '<', filter.createdBefore);
  const { status } = filter;
  if (status !== undefined) {
    // The condition of the partial index is repeated, or a planner doesn't see that it applies.
    const rare = status === 'idle' ? '' : ' AND h.status <> 0';
    const sql = () => `h.status = ${STATUS_CODES[status]}${rare}`;
    tests.push({ filter: 'status', row: 'h', column: 'status', sql });
  }
  for (const match of filter.metadata) {
    tests.push(
      dialect.hasTable('metadata')
        ? {
            filter: match,
            row: origin,
            column: 'agent',
            sql: (params) => findRow(match, origin, match === driving, params),
          }
        : { filter: match, row: 'x', column: 'document', sql: (params) => findDocument(match, params) },
    );
  }
  return tests;
}

/**
 * Said twice, because the planner takes a document that it can't estimate for one in a hundred, and then
 * hardly prefers the index to the whole table; of both together it expects few.
 */
function findDocument(match: MetadataMatch, params: Params): string {
  const contained = metadataContained(match);
  return `x.document @> ${params.bind(contained)}::jsonb AND x.document @> ${params.bind(contained)}::jsonb`;
}

/**
 * The limit changes no answer: it leaves each condition a look-up of its own. Of those without one, joins are made, and the time in which it plans them doubles with every few conditions.
 */
function findRow(match: MetadataMatch, origin: string, isDriving: boolean, params: Params): string {
  const { path, value } = metadataRow(match);
  const row = isDriving ? origin : 'y';
  const isIt = `${row}.path = ${params.bind(path)} AND ${row}.value = ${params.bind(value)}`;
  if (isDriving) return isIt;
  return `EXISTS (SELECT 1 FROM {metadata} AS y
    WHERE y.tree = ${origin}.tree AND y.agent = ${origin}.agent AND ${isIt} LIMIT 1)`;
}
