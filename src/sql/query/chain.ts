import type { PageSpec } from '../../store/validate-filter.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../directory.ts';
import type { Row } from '../driver.ts';
import { statement } from '../statement.ts';
import type { Query } from './params.ts';

/** Positions of a conversation (of messages or of calls) that an iterator's page is confined to: [from, to). */
export interface Window {
  from: number;
  to: number;
}

export const EVERYTHING: Window = { from: 0, to: Number.MAX_SAFE_INTEGER };

/** What an iterator has yet to give after the row at `position`. */
export function windowAfter(position: number, order: PageSpec['order']): Window {
  return order === 'asc' ? { ...EVERYTHING, from: position + 1 } : { ...EVERYTHING, to: position };
}

const SHARES = {
  messages: { lo: 'fork_seq', total: 'message_count' },
  calls: { lo: 'fork_call_seq', total: 'call_count' },
} as const;

/**
 * PostgreSQL: the branches of a conversation, its own first, each with its share [lo, hi), as a part of the
 * query itself. A query of one agent is one round trip then.
 */
export function chainOf(noun: keyof typeof SHARES, tree: string, agent: string): string {
  const { lo, total } = SHARES[noun];
  return `chain AS (
    SELECT 0 AS depth, b.branch, b.parent, b.${lo} AS lo, h.${total} AS hi, h.${total} AS total
    FROM {heads} AS h JOIN {branches} AS b ON b.tree = h.tree AND b.branch = h.branch
    WHERE h.tree = ${tree} AND h.agent = ${agent}
    UNION ALL
    SELECT c.depth + 1, p.branch, p.parent, p.${lo}, least(c.lo, c.hi), c.total
    FROM chain AS c JOIN {branches} AS p ON p.tree = ${tree} AND p.branch = c.parent)`;
}

const HEAD_EXISTS = statement('head_exists', 'SELECT agent FROM {heads} WHERE tree = $1 AND agent = $2');

/** Runs a query of one agent; undefined when the agent is gone, which an empty answer doesn't say. */
export async function readOfAgent(
  { driver }: SqlContext,
  keys: AgentKeys,
  { statement: query, params }: Query,
): Promise<Row[] | undefined> {
  const rows = await driver.read(query, params);
  if (rows.length > 0) return rows;
  const heads = await driver.read(HEAD_EXISTS, [keys.tree, keys.agent]);
  return heads.length > 0 ? rows : undefined;
}
