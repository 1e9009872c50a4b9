import type { MessageQuery } from '../../store/validate-filter.ts';
import type { Dialect } from '../dialect.ts';
import { KIND_CONDITIONS, OWNED } from '../schema/indexes.ts';
import { ROLE_CODES } from '../schema/tables.ts';
import { boundsOf, type Position } from './bounds.ts';
import { type Arm, lookUp, selectPage } from './ordered-keys.ts';
import { Params, type Query } from './params.ts';

const KINDS = ['text', 'tool_use', 'tool_result', 'other'] as const;

/** Columns that order messages over all agents. */
export const MESSAGE_KEY = ['created_at', 'tree', 'branch', 'seq'] as const;

/** Without a filter, a page of a conversation is a range of positions. */
export function isUnfiltered({ role, contentType, createdAfter, createdBefore }: MessageQuery): boolean {
  return [role, contentType, createdAfter, createdBefore].every((value) => value === undefined);
}

/** One arm per role and kind that the query leaves open. */
export function messageArms(
  indexes: 'messages' | 'branch_messages',
  query: MessageQuery,
  conditions: readonly string[],
): Arm[] {
  const roles = query.role === undefined ? Object.values(ROLE_CODES) : [ROLE_CODES[query.role]];
  const kinds = query.contentType === undefined ? KINDS : [query.contentType];
  return roles.flatMap((role) =>
    kinds.map((kind): Arm => {
      return {
        index: `${indexes}_${kind}`,
        where: [...conditions, `role = ${role}`, KIND_CONDITIONS[kind]],
      };
    }),
  );
}

/** Messages of all agents, each once: under its owner. */
export function planMessages(dialect: Dialect, query: MessageQuery, after?: Position): Query {
  const params = new Params();
  const bounds = boundsOf(query, MESSAGE_KEY, after, params);
  const keys = selectPage(
    dialect,
    {
      table: 'messages',
      columns: MESSAGE_KEY,
      arms: messageArms('messages', query, [OWNED, ...bounds]),
      overlapping: query.contentType === undefined,
      order: query.order,
    },
    query,
    params,
  );
  const message = lookUp(
    dialect,
    'messages',
    'm',
    'm.tree = k.tree AND m.branch = k.branch AND m.seq = k.seq',
  );
  const owner = lookUp(dialect, 'agents', 'a', 'a.tree = m.tree AND a.agent = m.owner');
  return params.query(
    'query_messages',
    `SELECT a.agent_id, m.created_at, m.tree, m.branch, m.seq, m.payload
     FROM (${keys}) AS k ${message} ${owner}`,
  );
}
