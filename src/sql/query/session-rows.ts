import type { SessionQuery } from '../../store/validate-filter.ts';
import { INFO_COLUMNS, number } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Dialect } from '../port/dialect.ts';
import type { Driver } from '../port/driver.ts';
import type { SqlValue } from '../port/values.ts';
import { Params } from './params.ts';

/** How sessions are ordered: the instant and the agent's key, as its table calls them. */
const SORT_COLUMNS = { createdAt: 'created_at', updatedAt: 'updated_at' } as const;

export function sessionKey({ sortBy }: Pick<SessionQuery, 'sortBy'>): readonly [string, 'agent'] {
  return [SORT_COLUMNS[sortBy], 'agent'];
}

const TREE = INFO_COLUMNS.length;
const AGENT = TREE + 1;

/** The same: where they are in the rows. */
export function sessionKeyPlaces({ sortBy }: Pick<SessionQuery, 'sortBy'>): readonly [number, number] {
  return [INFO_COLUMNS.indexOf(sortBy === 'createdAt' ? 'agents.created_at' : 'heads.updated_at'), AGENT];
}

export function agentOf(row: readonly SqlValue[]): number {
  return number(row[AGENT]);
}

/** The rows of sessions whose keys (tree, agent) a subquery gives. */
export function sessionsWithKeys(dialect: Dialect, keys: string): string {
  const [agent, head] = (['agents', 'heads'] as const).map((table) =>
    dialect.joinByKey(table, table, `${table}.tree = k.tree AND ${table}.agent = k.agent`),
  );
  return `SELECT ${INFO_COLUMNS.join(', ')}, k.tree, k.agent FROM (${keys}) AS k ${agent} ${head}`;
}

/** The same for keys that were taken down before. Agents that are gone are left out. */
export function fetchSessions(driver: Driver, keys: readonly AgentKeys[]): Promise<SqlValue[][]> {
  const { dialect } = driver;
  const params = new Params();
  const list = params.bind(JSON.stringify(keys.map(({ tree, agent }) => [tree, agent])));
  const source = dialect.rowsOfList(list, { tree: 'bigint', agent: 'bigint' });
  const query = params.query('fetch_sessions', sessionsWithKeys(dialect, source));
  return driver.read(query.statement, query.params);
}
