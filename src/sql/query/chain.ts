import type { PageSpec } from '../../store/validate-filter.ts';
import { chainsOf } from '../chain.ts';
import { headOf, type Lookup } from '../lookup.ts';
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

/**
 * At once: the chain of a conversation, as a part of the query itself. A query of one agent is one round trip then. The head is read first: its tree, as a given one, would
 * seem to have few branches, and all of them were read.
 */
export function chainOf(lookup: Lookup, params: Params): string {
  const head = headOf(lookup, params.bind);
  const chain = chainsOf({ from: 'own AS h', carry: ['message_count'] });
  return `own AS MATERIALIZED (SELECT h.* FROM ${head.from} WHERE ${head.where}), chain AS (${chain})`;
}
