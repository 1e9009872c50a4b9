import { CorruptDataError, EventsPrunedError } from '../../errors.ts';
import type { Channel, StoredEvent } from '../../model/agent.ts';
import type { SortOrder } from '../../store/filters.ts';
import type { EventQuery } from '../../store/validate-filter.ts';
import { number, parseJson } from '../codec.ts';
import type { AgentKeys } from '../directory.ts';
import type { Driver, Row } from '../driver.ts';
import { RARE_CHANNELS } from '../schema/indexes.ts';
import { CHANNEL_BITS } from '../schema/tables.ts';
import { type Statement, statement } from '../statement.ts';

/** Rows, each of which may hold a turn's events. Who begins with the newest seldom goes far. */
const PAGE: Record<SortOrder, number> = { asc: 200, desc: 50 };

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

/** The head comes along so that a missing agent and pruned events are told apart from no events. */
function pageOf(rows: string, order: SortOrder): string {
  return `SELECT h.pruned_cursor, e.cursor, e.count, e.created_at, e.payload
   FROM {heads} h LEFT JOIN (${rows}) e ON 1 = 1
   WHERE h.tree = $1 AND h.agent = $2 ORDER BY e.cursor ${order}`;
}

function pageEnd(order: SortOrder): string {
  return `ORDER BY cursor ${order} LIMIT $4`;
}

function inOrder(condition: string, order: SortOrder): string {
  return pageOf(
    `SELECT ${COLUMNS} FROM {events} WHERE ${OF_AGENT[order]} ${condition} ${pageEnd(order)}`,
    order,
  );
}

/**
 * The index has an order within each set of channels: the sets that the channel is in are merged. SQLite reads
 * them side by side as they are; PostgreSQL does where each is in order by itself, which SQLite has no words for.
 */
function merged(channel: Channel, order: SortOrder, set: (query: string) => string): string {
  const sets = [2, 3, 4, 5, 6, 7].filter((bits) => (bits & CHANNEL_BITS[channel]) !== 0);
  const queries = sets.map((bits) =>
    set(
      `SELECT ${COLUMNS} FROM {events} WHERE ${OF_AGENT[order]} AND channels = ${bits} AND ${RARE_CHANNELS}`,
    ),
  );
  return pageOf(`${queries.join(' UNION ALL ')} ${pageEnd(order)}`, order);
}

function mergedText(channel: Channel, order: SortOrder): Statement['text'] {
  return {
    sqlite: merged(channel, order, (query) => query),
    postgres: merged(channel, order, (query) => `(${query} ${pageEnd(order)})`),
  };
}

function statementsFor(order: SortOrder): Record<Channel | 'all', Statement> {
  const named = (what: string) => (order === 'asc' ? `read_${what}` : `read_newest_${what}`);
  return {
    all: statement(named('events'), inOrder('', order)),
    progress: statement(
      named('progress_events'),
      inOrder(`AND (channels & ${CHANNEL_BITS.progress}) <> 0`, order),
    ),
    control: statement(named('control_events'), mergedText('control', order)),
    monitor: statement(named('monitor_events'), mergedText('monitor', order)),
  };
}

const READ: Record<SortOrder, Record<Channel | 'all', Statement>> = {
  asc: statementsFor('asc'),
  desc: statementsFor('desc'),
};

/** Rows with events after `since`; undefined when there is no agent under these keys. */
export async function readPage(
  driver: Driver,
  agentId: string,
  { tree, agent }: AgentKeys,
  { since, channel }: { since: number; channel?: Channel },
): Promise<EventPage | undefined> {
  const rows = await driver.read(READ.asc[channel ?? 'all'], [tree, agent, since, PAGE.asc]);
  if (rows.length === 0) return undefined;
  const page = pageWith(rows, 'asc', since);
  assertKept(agentId, since, page);
  return page;
}

/** Rows with events after `since`, those just before the cursor `before` first. */
export async function readNewest(
  driver: Driver,
  { tree, agent }: AgentKeys,
  { since, channel, before }: EventQuery & { before: number },
): Promise<EventPage | undefined> {
  const rows = await driver.read(READ.desc[channel ?? 'all'], [tree, agent, since, PAGE.desc, before]);
  return rows.length === 0 ? undefined : pageWith(rows, 'desc', before);
}

function pageWith(rows: Row[], order: SortOrder, otherwise: number): EventPage {
  const packs = rows.filter((row) => row.cursor !== null).map(decodePack);
  return {
    packs,
    end: packs.at(-1)?.cursor ?? otherwise,
    isLast: packs.length < PAGE[order],
    pruned: number(rows[0]?.pruned_cursor),
  };
}

/** A reader who asks for more than is left must not take it for all there was. */
export function assertKept(agentId: string, since: number, { pruned }: EventPage): void {
  if (since < pruned) throw new EventsPrunedError(agentId, since, pruned + 1);
}

function decodePack(row: Row): EventPack {
  return {
    cursor: number(row.cursor),
    count: number(row.count),
    at: number(row.created_at),
    payload: String(row.payload),
  };
}

/** The events of a row that come after `since`, of one channel or of all. */
export function* unpack(
  agentId: string,
  { cursor: last, count, at, payload }: EventPack,
  { since, channel }: { since: number; channel?: Channel },
): Generator<StoredEvent> {
  const first = last - count + 1;
  const place = () => `events ${first} to ${last} of agent "${agentId}"`;
  const events = parseJson(payload, place) as StoredEvent['event'][];
  if (!Array.isArray(events) || events.length !== count) {
    throw new CorruptDataError(
      `Stored are not the ${count} events that should be: ${place()}. What is stored is damaged or was changed from outside. Restore it from a backup.`,
    );
  }
  for (const [i, event] of events.entries()) {
    const cursor = first + i;
    if (cursor <= since || (channel && event.channel !== channel)) continue;
    yield { cursor, bookmark: { seq: cursor, timestamp: at }, event };
  }
}
