import type { MessageQuery } from '../../store/validate-filter.ts';
import type { Dialect } from '../port/dialect.ts';
import type { KeyRanges, Range } from '../port/key-ranges.ts';
import { KIND_CONDITIONS, OWNED } from '../schema/indexes.ts';
import { ROLE_CODES } from '../schema/tables.ts';
import { boundsOf, type Position } from './bounds.ts';
import { Params, type Query } from './params.ts';

const KINDS = ['text', 'tool_use', 'tool_result', 'other'] as const;

/** Columns that order messages over all agents. */
export const MESSAGE_KEY = ['created_at', 'tree', 'branch', 'seq'] as const;

/** Where these columns are in the rows of `planMessages`. */
export const MESSAGE_KEY_PLACES = [1, 4, 5, 0] as const;

/** Without a filter, a page of a conversation is a range of positions. */
export function isUnfiltered({ role, contentType, createdAfter, createdBefore }: MessageQuery): boolean {
  return [role, contentType, createdAfter, createdBefore].every((value) => value === undefined);
}

/** Without more than a range of instants it is one, too: instants rise with the position. */
export function isByTime({ role, contentType }: MessageQuery): boolean {
  return role === undefined && contentType === undefined;
}

/** Messages of one branch, which may all be in one index: see `INDEXES`. */
export function branchRanges(
  dialect: Dialect,
  query: MessageQuery,
  conditions: readonly string[],
): Pick<KeyRanges, 'ranges' | 'overlapping'> {
  if (!dialect.hasIndex('branch_messages')) return mergedRanges('branch_messages', query, conditions);
  const where = [...conditions];
  if (query.role !== undefined) where.push(`role = ${ROLE_CODES[query.role]}`);
  if (query.contentType !== undefined) where.push(KIND_CONDITIONS[query.contentType]);
  const index = query.role === 'system' ? 'branch_messages_system' : 'branch_messages';
  return { ranges: [{ index, where }], overlapping: false };
}

/** One range per role and kind that the query leaves open. */
function mergedRanges(
  indexes: 'messages' | 'branch_messages',
  query: MessageQuery,
  conditions: readonly string[],
): Pick<KeyRanges, 'ranges' | 'overlapping'> {
  const roles = query.role === undefined ? Object.values(ROLE_CODES) : [ROLE_CODES[query.role]];
  const kinds = query.contentType === undefined ? KINDS : [query.contentType];
  const ranges = roles.flatMap((role) =>
    kinds.map((kind): Range => {
      return {
        index: `${indexes}_${kind}`,
        where: [...conditions, `role = ${role}`, KIND_CONDITIONS[kind]],
      };
    }),
  );
  return { ranges, overlapping: query.contentType === undefined };
}

/** Messages of all agents, each once: under its owner. */
export function planMessages(dialect: Dialect, query: MessageQuery, after?: Position): Query {
  const params = new Params();
  const bounds = boundsOf(query, MESSAGE_KEY, after, params);
  const keys: KeyRanges = {
    table: 'messages',
    columns: MESSAGE_KEY,
    ...mergedRanges('messages', query, [OWNED, ...bounds]),
    order: query.order,
  };
  const messages = dialect.rowsOfPage(keys, query, params.bind, {
    alias: 'm',
    key: 'm.tree = k.tree AND m.branch = k.branch AND m.seq = k.seq',
  });
  const owner = dialect.joinByKey('agents', 'a', 'a.tree = m.tree AND a.agent = m.owner');
  return params.query(
    'query_messages',
    `SELECT m.seq, m.created_at, m.payload, a.agent_id, m.tree, m.branch
     FROM ${messages} ${owner}`,
  );
}
