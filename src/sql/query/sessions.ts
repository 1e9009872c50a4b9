import type { AgentInfo } from '../../model/agent.ts';
import type { Paged } from '../../store/paged.ts';
import type { SessionQuery } from '../../store/validate-filter.ts';
import { decodeInfo, number } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../keys.ts';
import type { Driver } from '../port/driver.ts';
import type { SqlValue } from '../port/values.ts';
import type { Position } from './bounds.ts';
import { inPages } from './pages.ts';
import { positionOf, sortRows } from './rows.ts';
import { agentOf, fetchSessions, sessionKeyPlaces } from './session-rows.ts';
import { listSessionKeys, pageOfSessions } from './session-search.ts';

export async function querySessions({ driver }: SqlContext, query: SessionQuery): Promise<AgentInfo[]> {
  return (await readPage(driver, query)).map(decodeInfo);
}

/**
 * A filter of what changes while the iterator runs (the last activity, the status, the metadata) is
 * answered at the start, and only the keys are remembered: else an agent that changes in between could
 * slip from the part that is still to come into the part that was given already.
 */
export function iterateSessions({ driver }: SqlContext, query: SessionQuery): Paged<SqlValue[], AgentInfo> {
  const { sortBy, status, metadata } = query;
  const isSettled = sortBy === 'createdAt' && status === undefined && metadata.length === 0;
  return {
    pages: isSettled ? pagesByCreation(driver, query) : pagesOfKeys(driver, query),
    decode: decodeInfo,
  };
}

function pagesByCreation(driver: Driver, query: SessionQuery): AsyncGenerator<SqlValue[][]> {
  const places = sessionKeyPlaces(query);
  return inPages(driver.dialect, query.limit, (limit, last) =>
    readPage(driver, { ...query, limit }, last && positionOf(last, places)),
  );
}

async function readPage(driver: Driver, query: SessionQuery, after?: Position): Promise<SqlValue[][]> {
  return sortRows(await pageOfSessions(driver, query, after), sessionKeyPlaces(query), query.order);
}

const FETCHED_AT_ONCE = 128;

async function* pagesOfKeys(driver: Driver, query: SessionQuery): AsyncGenerator<SqlValue[][]> {
  const keys = (await listSessionKeys(driver, query)).map(keysOf);
  for (let start = 0; start < keys.length; start += FETCHED_AT_ONCE) {
    const wanted = keys.slice(start, start + FETCHED_AT_ONCE);
    const found = new Map((await fetchSessions(driver, wanted)).map((row) => [agentOf(row), row]));
    yield wanted.map(({ agent }) => found.get(agent)).filter((row) => row !== undefined);
  }
}

function keysOf([tree, agent]: SqlValue[]): AgentKeys {
  return { tree: number(tree), agent: number(agent) };
}
