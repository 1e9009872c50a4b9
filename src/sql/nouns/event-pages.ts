import { CorruptDataError, EventsPrunedError, ValidationError } from '../../errors.ts';
import type { Channel, StoredEvent } from '../../model/agent.ts';
import { describe } from '../../model/ids.ts';
import type { ReadEventsOptions } from '../../store/store.ts';
import { number, parseJson } from '../codec.ts';
import type { AgentKeys } from '../directory.ts';
import type { Driver, Row } from '../driver.ts';
import { RARE_CHANNELS } from '../schema/indexes.ts';
import { CHANNEL_BITS } from '../schema/tables.ts';
import { type Statement, statement } from '../statement.ts';

/** Rows, each of which may hold a turn's events. */
const PAGE = 200;

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
  /** What comes after this cursor isn't in the page. */
  readonly end: number;
  readonly isLast: boolean;
}

const COLUMNS = 'cursor, count, created_at, payload';
const OF_AGENT = 'tree = $1 AND agent = $2 AND cursor > $3';
const PAGE_END = 'ORDER BY cursor LIMIT $4';

/** The head comes along so that a missing agent and pruned events are told apart from no events. */
function pageOf(rows: string): string {
  return `SELECT h.pruned_cursor, e.cursor, e.count, e.created_at, e.payload
   FROM {heads} h LEFT JOIN (${rows}) e ON 1 = 1
   WHERE h.tree = $1 AND h.agent = $2 ORDER BY e.cursor`;
}

function inOrder(condition: string): string {
  return `SELECT ${COLUMNS} FROM {events} WHERE ${OF_AGENT} ${condition} ${PAGE_END}`;
}

/**
 * The index has an order within each set of channels: the sets that the channel is in are merged. SQLite reads
 * them side by side as they are; PostgreSQL does where each is in order by itself, which SQLite has no words for.
 */
function merged(channel: Channel, set: (query: string) => string): string {
  const sets = [2, 3, 4, 5, 6, 7].filter((bits) => (bits & CHANNEL_BITS[channel]) !== 0);
  const queries = sets.map((bits) =>
    set(`SELECT ${COLUMNS} FROM {events} WHERE ${OF_AGENT} AND channels = ${bits} AND ${RARE_CHANNELS}`),
  );
  return pageOf(`${queries.join(' UNION ALL ')} ${PAGE_END}`);
}

function mergedText(channel: Channel): Statement['text'] {
  return {
    sqlite: merged(channel, (query) => query),
    postgres: merged(channel, (query) => `(${query} ${PAGE_END})`),
  };
}

const READ = statement('read_events', pageOf(inOrder('')));
const READ_CHANNEL: Record<Channel, Statement> = {
  progress: statement(
    'read_progress_events',
    pageOf(inOrder(`AND (channels & ${CHANNEL_BITS.progress}) <> 0`)),
  ),
  control: statement('read_control_events', mergedText('control')),
  monitor: statement('read_monitor_events', mergedText('monitor')),
};

export function sinceCursor(since: ReadEventsOptions['since']): number {
  const cursor = typeof since === 'object' && since !== null ? since.seq : (since ?? 0);
  if (typeof cursor !== 'number' || !Number.isSafeInteger(cursor) || cursor < 0) {
    throw new ValidationError('since', `must be a cursor (0 or more) or a bookmark, not ${describe(since)}`);
  }
  return cursor;
}

export function checkChannel(channel: unknown): void {
  if (channel !== undefined && !Object.keys(CHANNEL_BITS).includes(channel as string)) {
    throw new ValidationError('channel', 'must be "progress", "control" or "monitor"');
  }
}

/** Rows with events after `since`; undefined when there is no agent under these keys. */
export async function readPage(
  driver: Driver,
  agentId: string,
  { tree, agent }: AgentKeys,
  since: number,
  channel?: Channel,
): Promise<EventPage | undefined> {
  const rows = await driver.read(channel ? READ_CHANNEL[channel] : READ, [tree, agent, since, PAGE]);
  if (rows.length === 0) return undefined;
  const pruned = number(rows[0]?.pruned_cursor);
  if (since < pruned) throw new EventsPrunedError(agentId, since, pruned + 1);
  const packs = rows.filter((row) => row.cursor !== null).map(decodePack);
  return { packs, end: packs.at(-1)?.cursor ?? since, isLast: packs.length < PAGE };
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
  since: number,
  channel?: Channel,
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
