import type { StatsQuery } from '../../store/validate-filter.ts';
import { chainsOf } from '../chain.ts';
import { headOf, type Lookup } from '../lookup.ts';
import type { Dialect } from '../port/dialect.ts';
import { type IndexName, OWNED } from '../schema/indexes.ts';
import { Params, type Query } from './params.ts';
import { selectMatchingAgents } from './session-search.ts';

/** What statistics cover. */
export interface Scope {
  query(name: string, select: (parts: ScopeParts, sum: Sum) => string): Query;
}

/** For each noun, what follows FROM: its rows are called `r`, and more conditions may follow. */
export interface ScopeParts {
  agents: string;
  calls: string;
  /** Where calls are counted faster by one property at a time: `state`, `tool_name`, `is_error`, `calls`. */
  callCounts?: string;
  usage: string;
  snapshots: string;
  /** Their number, as an expression. */
  messageCount: string;
}

/** A sum that no number of rows overflows: beyond 2^53 it is the nearest number, on both databases. */
export type Sum = (column: string) => string;

const ALL_CALLS = '{tool_calls} AS r WHERE r.owner IS NOT NULL';

/** These indexes have what is asked for; rows have what the tools answered as well. */
function callsInIndexes({ useIndex }: Dialect): Pick<ScopeParts, 'calls' | 'callCounts'> {
  const callsIn = (index: IndexName, where: string) =>
    `{tool_calls} AS r ${useIndex(index)} WHERE r.${where}`;
  return {
    calls: callsIn('calls_by_state', OWNED),
    callCounts: `SELECT r.state, NULL AS tool_name, NULL AS is_error, count(*) AS calls
      FROM ${callsIn('calls_by_state', OWNED)} GROUP BY r.state
    UNION ALL SELECT NULL, r.tool_name, NULL, count(*) FROM ${callsIn('calls_by_tool', OWNED)} GROUP BY r.tool_name
    UNION ALL SELECT NULL, NULL, 1, count(*) FROM ${callsIn('calls_failed', `${OWNED} AND r.is_error = 1`)}`,
  };
}

/** All agents: each stored row once. */
export function everything(dialect: Dialect): Scope {
  const { messageCount } = ownedParts(dialect);
  return scopeOf(dialect, () => 'SELECT tree, agent FROM {heads}', {
    agents: '{heads} AS r WHERE true',
    ...(dialect.countsInIndexes ? callsInIndexes(dialect) : { calls: ALL_CALLS }),
    usage: '{usage} AS r WHERE true',
    snapshots: '{snapshots} AS r WHERE true',
    messageCount,
  });
}

/** The agents that a filter matches: each stored row once, under its owner. */
export function agentsMatching(dialect: Dialect, filter: StatsQuery): Scope {
  return scopeOf(dialect, (params) => selectMatchingAgents(dialect, filter, params), ownedParts(dialect));
}

/** One agent with all that it inherited. A call counts where it is nearest. */
export function oneAgent(dialect: Dialect, lookup: Lookup): Scope {
  const ofAgent = (table: 'usage' | 'snapshots') =>
    `matched AS k ${dialect.joinByKey(table, 'r', 'r.tree = k.tree AND r.agent = k.agent')} WHERE true`;
  const call = 'r.tree = c.tree AND r.branch = c.branch AND r.call_seq < c.call_hi';
  const nearer = 'own.tree = n.tree AND own.branch = n.branch AND own.call_seq = r.call_seq';
  const calls = `chain AS c ${dialect.joinByKey('tool_calls', 'r', call)} WHERE NOT EXISTS (
        SELECT 1 FROM chain AS n ${dialect.joinByKey('tool_calls', 'own', nearer)} WHERE n.depth < c.depth)`;
  // One statement that counts all of it need not look for the calls twice.
  const found = `, found AS MATERIALIZED (SELECT r.state, r.tool_name, r.is_error, r.duration_ms FROM ${calls})`;
  const atOnce = dialect.readsAtOnce;
  return scopeOf(
    dialect,
    (params) => {
      const { from, where } = headOf(lookup, (value) => params.bind(value));
      return `SELECT h.tree, h.agent FROM ${from} WHERE ${where}`;
    },
    {
      agents: 'matched AS r WHERE true',
      calls: atOnce ? 'found AS r WHERE true' : calls,
      usage: ofAgent('usage'),
      snapshots: ofAgent('snapshots'),
      messageCount: '(SELECT coalesce(sum(c.hi), 0) FROM chain AS c WHERE c.depth = 0)',
    },
    atOnce ? found : '',
  );
}

/**
 * What agents own lies on the branches of their conversations. What they began themselves is theirs: only
 * what lies on other agents' branches is looked at where some of it outlived its owner (`adopted`): else many
 * forks of a long conversation would each walk over all of it.
 */
function ownedParts(dialect: Dialect): ScopeParts {
  const join = dialect.joinInOrder;
  const ofAgents = (table: 'usage' | 'snapshots') =>
    `matched AS k ${join} {${table}} AS r ON r.tree = k.tree AND r.agent = k.agent WHERE true`;
  return {
    agents: 'matched AS r WHERE true',
    calls: `chain AS c ${join} {tool_calls} AS r
      ON r.tree = c.tree AND r.branch = c.branch AND r.call_seq < c.call_hi
      WHERE r.owner = c.agent AND (c.starter = c.agent OR c.adopted = 1)`,
    usage: ofAgents('usage'),
    snapshots: ofAgents('snapshots'),
    messageCount: `(SELECT coalesce(sum(c.hi - c.lo), 0) FROM chain AS c WHERE c.starter = c.agent AND c.hi > c.lo) +
      (SELECT count(*) FROM chain AS c ${join} {messages} AS r
         ON r.tree = c.tree AND r.branch = c.branch AND r.seq >= c.lo AND r.seq < c.hi
       WHERE c.starter <> c.agent AND c.adopted = 1 AND r.owner = c.agent)`,
  };
}

function scopeOf(
  dialect: Dialect,
  matched: (params: Params) => string,
  parts: ScopeParts,
  further = '',
): Scope {
  const join = dialect.joinInOrder;
  return {
    query(name, select) {
      const params = new Params();
      const common = `WITH RECURSIVE matched AS (${matched(params)}),
        chain AS (${chainsOf({ from: `matched AS k ${join} {heads} AS h ON h.tree = k.tree AND h.agent = k.agent`, carry: ['agent'], join })})${further}`;
      return params.query(name, `${common} ${select(parts, dialect.sum)}`);
    },
  };
}
