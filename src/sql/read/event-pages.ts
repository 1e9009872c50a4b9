import { CorruptDataError, EventsPrunedError } from '../../errors.ts';
import type { Channel, StoredEvent } from '../../model/agent.ts';
import type { SortOrder } from '../../store/filters.ts';
import type { EventQuery } from '../../store/validate-filter.ts';
import { number, parseJson } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Dialect } from '../port/dialect.ts';
import type { Driver } from '../port/driver.ts';
import { type Statement, statementOfArrays } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { RARE_CHANNELS } from '../schema/indexes.ts';
import { CHANNEL_BITS } from '../schema/tables.ts';

/** Rows, each of which may hold a turn's events, or one. */
export const FIRST_PAGE = 200;
const MAX_PAGE = 1_000;
/** Characters of text in a page up to which the next one has more rows. */
const LIGHT = 500_000;
/** Who begins with the newest seldom goes far. */
const NEWEST_PAGE = 50;

/** Events that were stored together. */
export interface EventPack {
  /** The last one's. */
  readonly cursor: number;
  readonly count: number;
  readonly at: number;
  readonly payload: string;
}

export interface EventPage {
  readonly packs: readonly EventPack[];
  /** The cursor that the page ends with, and the next one goes on from. */
  readonly end: number;
  readonly isLast: boolean;
  /** Events up to this cursor were removed. */
  readonly pruned: number;
}

const COLUMNS = 'cursor, count, created_at, payload';
/** Rows with events after a cursor; the newest first, also only those before another one. */
const OF_AGENT: Record<SortOrder, string> = {
  asc: 'tree = $1 AND agent = $2 AND cursor > $3',
  desc: 'tree = $1 AND agent = $2 AND cursor > $3 AND cursor < $5',
};

/**
 * The head comes along so that a missing agent and pruned events are told apart from no events: as a row of its own,
 * because joined rows may be put into a table first, and sorted, which takes three times as long.
 */
function pageOf(rows: string): string {
  return `SELECT pruned_cursor, NULL, NULL, NULL, NULL FROM {heads} WHERE tree = $1 AND agent = $2
     UNION ALL SELECT NULL, ${COLUMNS} FROM (${rows}) AS page`;
}

function pageEnd(order: SortOrder): string {
  return `ORDER BY cursor ${order} LIMIT $4`;
}

function inOrder(condition: string, order: SortOrder): string {
  return pageOf(`SELECT ${COLUMNS} FROM {events} WHERE ${OF_AGENT[order]} ${condition} ${pageEnd(order)}`);
}

/** The index has an order within each set of channels: the sets that the channel is in are merged. */
function merged({ mergeRanges }: Dialect, channel: Channel, order: SortOrder): string {
  const sets = [2, 3, 4, 5, 6, 7].filter((bits) => (bits & CHANNEL_BITS[channel]) !== 0);
  const queries = sets.map(
    (bits) =>
      `SELECT ${COLUMNS} FROM {events} WHERE ${OF_AGENT[order]} AND channels = ${bits} AND ${RARE_CHANNELS}`,
  );
  return pageOf(mergeRanges(queries, pageEnd(order)));
}

function statementsFor(order: SortOrder): Record<Channel | 'all', Statement<'arrays'>> {
  const named = (what: string) => (order === 'asc' ? `read_${what}` : `read_newest_${what}`);
  return {
    all: statementOfArrays(named('events'), inOrder('', order)),
    progress: statementOfArrays(
      named('progress_events'),
      inOrder(`AND (channels & ${CHANNEL_BITS.progress}) <> 0`, order),
    ),
    control: statementOfArrays(named('control_events'), (dialect) => merged(dialect, 'control', order)),
    monitor: statementOfArrays(named('monitor_events'), (dialect) => merged(dialect, 'monitor', order)),
  };
}

const READ: Record<SortOrder, Record<Channel | 'all', Statement<'arrays'>>> = {
  asc: statementsFor('asc'),
  desc: statementsFor('desc'),
};

/** Rows with events after `since`; undefined when there is no agent under these keys. */
export async function readPage(
  driver: Driver,
  agentId: string,
  { tree, agent }: AgentKeys,
  { since, channel, limit }: { since: number; channel?: Channel; limit: number },
): Promise<EventPage | undefined> {
  const rows = await driver.read(READ.asc[channel ?? 'all'], [tree, agent, since, limit]);
  if (rows.length === 0) return undefined;
  const page = pageWith(rows, 'asc', limit, since);
  assertKept(agentId, since, page);
  return page;
}

/** Rows with events after `since`, those just before the cursor `before` first. */
export async function readNewest(
  driver: Driver,
  { tree, agent }: AgentKeys,
  { since, channel, before }: EventQuery & { before: number },
): Promise<EventPage | undefined> {
  const rows = await driver.read(READ.desc[channel ?? 'all'], [tree, agent, since, NEWEST_PAGE, before]);
  return rows.length === 0 ? undefined : pageWith(rows, 'desc', NEWEST_PAGE, before);
}

function pageWith(rows: SqlValue[][], order: SortOrder, limit: number, otherwise: number): EventPage {
  const packs = rows.filter(([, cursor]) => cursor !== null).map(decodePack);
  // They are read in their order, and only a part of a query can promise one.
  if (!isInOrder(packs, order)) packs.sort((one, other) => compare(one, other, order));
  return {
    packs,
    end: packs.at(-1)?.cursor ?? otherwise,
    isLast: packs.length < limit,
    pruned: number(rows.find(([pruned]) => pruned !== null)?.[0] ?? 0),
  };
}

function isInOrder(packs: readonly EventPack[], order: SortOrder): boolean {
  return packs.every((pack, i) => i === 0 || compare(packs[i - 1] ?? pack, pack, order) <= 0);
}

function compare(one: EventPack, other: EventPack, order: SortOrder): number {
  return order === 'asc' ? one.cursor - other.cursor : other.cursor - one.cursor;
}

/** Rows of the page after one of so many. */
export function nextLimit(limit: number, packs: readonly EventPack[]): number {
  let length = 0;
  for (const { payload } of packs) length += payload.length;
  return length < LIGHT ? Math.min(MAX_PAGE, 2 * limit) : limit;
}

/** A reader who asks for more than is left must not take it for all there was. */
export function assertKept(agentId: string, since: number, { pruned }: EventPage): void {
  if (since < pruned) throw new EventsPrunedError(agentId, since, pruned + 1);
}

function decodePack([, cursor, count, at, payload]: readonly SqlValue[]): EventPack {
  return { cursor: number(cursor), count: number(count), at: number(at), payload: String(payload) };
}

/** The events of rows that come after `since`, of one channel or of all, each row's when it is reached. */
export function* unpackAll(
  agentId: string,
  packs: readonly EventPack[],
  query: { since: number; channel?: Channel; order: SortOrder },
): Generator<StoredEvent> {
  for (const pack of packs) {
    const events = unpack(agentId, pack, query);
    if (query.order === 'desc') events.reverse();
    for (const event of events) yield event;
  }
}

function unpack(
  agentId: string,
  { cursor: last, count, at, payload }: EventPack,
  { since, channel }: { since: number; channel?: Channel },
): StoredEvent[] {
  const first = last - count + 1;
  const place = () => `events ${first} to ${last} of agent "${agentId}"`;
  const events = parseJson(payload, place) as StoredEvent['event'][];
  if (!Array.isArray(events) || events.length !== count) {
    throw new CorruptDataError(
      `Stored are not the ${count} events that should be: ${place()}. What is stored is damaged or was changed from outside. Restore it from a backup.`,
    );
  }
  const wanted: StoredEvent[] = [];
  let cursor = first - 1;
  for (const event of events) {
    cursor += 1;
    if (cursor <= since || (channel && event.channel !== channel)) continue;
    wanted.push({ cursor, bookmark: { seq: cursor, timestamp: at }, event });
  }
  return wanted;
}
