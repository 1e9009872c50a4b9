import type { PageSpec } from '../../store/validate-filter.ts';
import { headOf, type Whom } from '../whom.ts';
import type { Params } from './params.ts';

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
 * At once: the branches of a conversation, its own first, each with its share [lo, hi), as a part of the
 * query itself. A query of one agent is one round trip then. The head is read first: its tree, as a given one, would
 * seem to have few branches, and all of them were read.
 */
export function chainOf(noun: keyof typeof SHARES, whom: Whom, params: Params): string {
  const { lo, total } = SHARES[noun];
  const head = headOf(whom, (value) => params.bind(value));
  return `own AS MATERIALIZED (SELECT h.* FROM ${head.from} WHERE ${head.where}), chain AS (
    SELECT 0 AS depth, b.tree, b.branch, b.parent, b.${lo} AS lo, h.${total} AS hi, h.${total} AS total
    FROM own AS h JOIN {branches} AS b ON b.tree = h.tree AND b.branch = h.branch
    UNION ALL
    SELECT c.depth + 1, p.tree, p.branch, p.parent, p.${lo}, least(c.lo, c.hi), c.total
    FROM chain AS c JOIN {branches} AS p ON p.tree = c.tree AND p.branch = c.parent)`;
}
