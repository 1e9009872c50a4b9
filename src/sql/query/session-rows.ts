import type { SessionQuery } from '../../store/validate-filter.ts';
import type { Dialect } from '../dialect.ts';
import type { AgentKeys } from '../directory.ts';
import type { Driver, Row } from '../driver.ts';
import { lookUp } from './ordered-keys.ts';
import { Params } from './params.ts';

/** How sessions are ordered: the instant and the agent's key, as its table calls them. */
const SORT_COLUMNS = { createdAt: 'created_at', updatedAt: 'updated_at' } as const;

export function sessionKey({ sortBy }: Pick<SessionQuery, 'sortBy'>): readonly [string, 'agent'] {
  return [SORT_COLUMNS[sortBy], 'agent'];
}

const COLUMNS = `a.tree, a.agent, a.agent_id, a.template_id, a.user_id, a.created_at, a.config_version, a.lineage,
  a.parent_agent_id, a.parent_tool_call_id, a.metadata, h.status, h.updated_at, h.message_count,
  h.last_sfp_index, h.bookmark_seq, h.bookmark_at, h.breakpoint, h.version`;

/** The rows of sessions whose keys (tree, agent) a subquery gives. */
export function sessionsWithKeys(dialect: Dialect, keys: string): string {
  const agent = lookUp(dialect, 'agents', 'a', 'a.tree = k.tree AND a.agent = k.agent');
  const head = lookUp(dialect, 'heads', 'h', 'h.tree = k.tree AND h.agent = k.agent');
  return `SELECT ${COLUMNS} FROM (${keys}) AS k ${agent} ${head}`;
}

/** The same for keys that were taken down before. Agents that are gone are left out. */
export function fetchSessions(driver: Driver, keys: readonly AgentKeys[]): Promise<Row[]> {
  const { dialect } = driver;
  const params = new Params();
  let source: string;
  if (dialect.name === 'sqlite') {
    const list = params.bind(JSON.stringify(keys.map(({ tree, agent }) => [tree, agent])));
    source = `SELECT value ->> 0 AS tree, value ->> 1 AS agent FROM json_each(${list})`;
  } else {
    const [trees, agents] = [keys.map(({ tree }) => tree), keys.map(({ agent }) => agent)].map((column) =>
      params.bind(`{${column.join(',')}}`),
    );
    source = `SELECT tree, agent FROM unnest(${trees}::bigint[], ${agents}::bigint[]) AS u (tree, agent)`;
  }
  const query = params.query('fetch_sessions', sessionsWithKeys(dialect, source));
  return driver.read(query.statement, query.params);
}
