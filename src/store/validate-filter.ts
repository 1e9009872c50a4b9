import { ValidationError } from '../errors.ts';
import { AGENT_STATUSES, type AgentStatus, type Bookmark, CHANNELS, type Channel } from '../model/agent.ts';
import { checkObject, describe, validateAgentId, validateCallName, validateName } from '../model/ids.ts';
import { toInstant } from '../model/instants.ts';
import { reading } from '../model/json.ts';
import { checkKeys, type KnownKeys, knownKeys, unknownKey } from '../model/known-keys.ts';
import type { Role } from '../model/message.ts';
import { TOOL_CALL_STATES, type ToolCallState } from '../model/tool-call.ts';
import type { MessageQueryFilter, SortOrder } from './filters.ts';
import { type MetadataMatch, metadataMatches } from './metadata-filter.ts';

/**
 * Filters as queries use them: checked, instants in epoch milliseconds, defaults filled in. What a filter
 * doesn't say, misspells or gets wrong must never widen what it matches, so everything is refused that
 * isn't understood.
 */
export interface PageSpec {
  /** `Infinity` for an iterator without a limit. */
  limit: number;
  offset: number;
  order: SortOrder;
}

export interface CreatedRange {
  createdAfter?: number;
  createdBefore?: number;
}

export interface StatsQuery extends CreatedRange {
  templateId?: string;
  userId?: string;
  status?: AgentStatus;
  metadata: readonly MetadataMatch[];
}

export interface SessionQuery extends StatsQuery, PageSpec {
  sortBy: 'createdAt' | 'updatedAt';
}

export type ContentType = NonNullable<MessageQueryFilter['contentType']>;

export interface MessageQuery extends CreatedRange, PageSpec {
  agentId?: string;
  role?: Role;
  contentType?: ContentType;
}

export interface ToolCallQuery extends CreatedRange, PageSpec {
  agentId?: string;
  toolName?: string;
  state?: ToolCallState;
  isError?: boolean;
  hasApproval?: boolean;
}

/** Which of an agent's events to read. */
export interface EventQuery {
  /** The cursor after which they come. */
  since: number;
  channel?: Channel;
  order: SortOrder;
}

/** An iterator takes any limit and no offset. */
export type FilterUse = 'query' | 'iterate';

type Check<T> = (field: string, value: unknown) => T;
type Checks<T> = { [K in keyof T]-?: Check<NonNullable<T[K]>> };

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 10_000;

const RANGE: Checks<CreatedRange> = { createdAfter: toInstant, createdBefore: toInstant };

const STATS: Checks<StatsQuery> = {
  ...RANGE,
  templateId: checkName,
  userId: checkName,
  status: oneOf(AGENT_STATUSES),
  metadata: metadataMatches,
};

const SESSION_SORT: Checks<Pick<SessionQuery, 'sortBy'>> = { sortBy: oneOf(['createdAt', 'updatedAt']) };

const MESSAGES: Checks<Omit<MessageQuery, keyof PageSpec>> = {
  ...RANGE,
  agentId: checkAgentId,
  role: oneOf(['user', 'assistant', 'system']),
  contentType: oneOf(['text', 'tool_use', 'tool_result']),
};

const TOOL_CALLS: Checks<Omit<ToolCallQuery, keyof PageSpec>> = {
  ...RANGE,
  agentId: checkAgentId,
  toolName: checkCallName,
  state: oneOf(TOOL_CALL_STATES),
  isError: checkBoolean,
  hasApproval: checkBoolean,
};

const EVENTS: Checks<EventQuery> = {
  since: checkSince,
  channel: oneOf(CHANNELS),
  order: oneOf(['asc', 'desc']),
};

const PAGES: Record<FilterUse, Checks<PageSpec>> = {
  query: { limit: limitUpTo(MAX_LIMIT), offset: checkOffset, order: oneOf(['asc', 'desc']) },
  iterate: {
    limit: limitUpTo(Number.MAX_SAFE_INTEGER),
    offset: refuseOffset,
    order: oneOf(['asc', 'desc']),
  },
};

/** With the checks of the page that a use has, put together once. */
function withPage<T>(checks: Checks<T>): Record<FilterUse, Checks<T & PageSpec>> {
  const all = (use: FilterUse) => ({ ...checks, ...PAGES[use] }) as Checks<T & PageSpec>;
  return { query: all('query'), iterate: all('iterate') };
}

const SESSION_CHECKS = withPage({ ...STATS, ...SESSION_SORT });
const MESSAGE_CHECKS = withPage(MESSAGES);
const TOOL_CALL_CHECKS = withPage(TOOL_CALLS);

export function validateSessionFilter(filter: unknown, use: FilterUse = 'query'): SessionQuery {
  const given = check(filter, SESSION_CHECKS[use]);
  return { sortBy: 'createdAt', metadata: [], ...defaultPage(use), ...given };
}

export function validateMessageFilter(filter: unknown, use: FilterUse = 'query'): MessageQuery {
  return { ...defaultPage(use), ...check(filter, MESSAGE_CHECKS[use]) };
}

export function validateToolCallFilter(filter: unknown, use: FilterUse = 'query'): ToolCallQuery {
  return { ...defaultPage(use), ...check(filter, TOOL_CALL_CHECKS[use]) };
}

export function validateStatsFilter(filter: unknown): StatsQuery {
  return { metadata: [], ...check(filter, STATS) };
}

export function validateEventOptions(options: unknown): EventQuery {
  return { since: 0, order: 'asc', ...check(options, EVENTS) };
}

function defaultPage(use: FilterUse): PageSpec {
  return { limit: use === 'query' ? DEFAULT_LIMIT : Number.POSITIVE_INFINITY, offset: 0, order: 'desc' };
}

/** The filter's keys that aren't undefined, each checked. A Date or a Map has none: it would match everything. */
function check<T>(filter: unknown, checks: Checks<T>): Partial<T> {
  if (filter === undefined) return {};
  return reading('filter', () => {
    checkObject('filter', filter);
    const checked: Partial<T> = {};
    for (const [key, value] of Object.entries(filter)) {
      if (!Object.hasOwn(checks, key)) throw unknownKey('', key, keysOf(checks));
      const known = key as keyof T & string;
      if (value !== undefined) checked[known] = checks[known](key, value);
    }
    return checked;
  });
}

function keysOf(checks: object): KnownKeys {
  return { problem: 'is no key of this filter', names: new Set(Object.keys(checks)), hint: '' };
}

function checkName(field: string, value: unknown): string {
  validateName(field, value);
  return value;
}

function checkCallName(field: string, value: unknown): string {
  validateCallName(field, value);
  return value;
}

function checkAgentId(_field: string, value: unknown): string {
  validateAgentId(value);
  return value;
}

function checkBoolean(field: string, value: unknown): boolean {
  if (typeof value !== 'boolean') {
    throw new ValidationError(field, `must be true or false, not ${describe(value)}`);
  }
  return value;
}

function oneOf<T extends string>(allowed: readonly T[]): Check<T> {
  return (field, value) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    const given = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : describe(value);
    throw new ValidationError(field, `must be one of ${allowed.join(', ')}, not ${given}`);
  };
}

function limitUpTo(max: number): Check<number> {
  const range = max === MAX_LIMIT ? '1 to 10,000; for more, use the iterator' : '1 or more';
  return (field, value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
    throw new ValidationError(field, `must be a whole number, ${range}`);
  };
}

const BOOKMARK_KEYS = knownKeys<Bookmark>('is no field of a bookmark', { seq: true, timestamp: true });

/** A cursor, or a bookmark with one. */
export function checkSince(field: string, value: unknown): number {
  const cursor = reading(field, () => {
    if (typeof value !== 'object' || value === null || !('seq' in value)) return value;
    checkKeys(field, value, BOOKMARK_KEYS);
    return value.seq;
  });
  if (typeof cursor === 'number' && Number.isSafeInteger(cursor) && cursor >= 0) return cursor;
  throw new ValidationError(field, `must be a cursor (0 or more) or a bookmark, not ${describe(value)}`);
}

function checkOffset(field: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ValidationError(field, 'must be a whole number, 0 or more');
}

function refuseOffset(field: string): never {
  throw new ValidationError(field, 'is not for iterators, which give everything that matches; leave it out');
}
