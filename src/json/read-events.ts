import type { NewEvent, StoredEvent } from '../model/agent.ts';
import { appendAll } from '../model/lists.ts';
import type { EventQuery } from '../store/validate-filter.ts';
import type { OpenAgent } from './agent-files.ts';
import type { EventIndex, EventLine } from './event-index.ts';
import { Fields } from './fields.ts';

/** Read in pieces of about this size, between which others get their turn. */
const PAGE_BYTES = 256 << 10;

export interface EventPage {
  events: StoredEvent[];
  /** The cursor that the next page goes on from; undefined when nothing is left. */
  next: number | undefined;
}

/** The first place to look for events: after `since`, or, with the newest first, before the end. */
export function beginningOf({ since, order }: EventQuery): number {
  return order === 'asc' ? since : Number.MAX_SAFE_INTEGER;
}

/** The events from a cursor on, in their order, as many as lie in the next piece of the log. */
export async function readEventPage(agent: OpenAgent, from: number, query: EventQuery): Promise<EventPage> {
  const { lines, next } = linesFrom(agent.events, from, query);
  const texts = await agent.log.read(lines.map(({ place }) => place));
  const events: StoredEvent[] = [];
  for (const [i, line] of lines.entries()) {
    const wanted = wantedOf(eventsOf(texts[i] ?? '', line), from, query);
    appendAll(events, query.order === 'asc' ? wanted : wanted.reverse());
  }
  return { events, next };
}

function linesFrom(
  index: EventIndex,
  from: number,
  { since, order }: EventQuery,
): { lines: EventLine[]; next: number | undefined } {
  const lines: EventLine[] = [];
  let next = from;
  for (let bytes = 0; bytes < PAGE_BYTES; ) {
    const line = order === 'asc' ? index.after(next) : index.before(next);
    if (!line || (order === 'desc' && next <= since + 1)) return { lines, next: undefined };
    lines.push(line);
    bytes += line.place.length;
    next = order === 'asc' ? line.last : line.before + 1;
  }
  return { lines, next };
}

function wantedOf(
  events: readonly StoredEvent[],
  from: number,
  { since, channel, order }: EventQuery,
): StoredEvent[] {
  return events.filter(
    ({ cursor, event }) =>
      cursor > since &&
      (order === 'asc' ? cursor > from : cursor < from) &&
      (channel === undefined || event.channel === channel),
  );
}

function eventsOf(text: string, { before }: EventLine): StoredEvent[] {
  const events: StoredEvent[] = [];
  let seq = before;
  for (const entry of JSON.parse(text) as unknown[]) {
    const fields = new Fields(entry, 'entry');
    if (!fields.has('events')) continue;
    const timestamp = fields.integer('at');
    for (const event of fields.array('events') as NewEvent[]) {
      seq += 1;
      events.push({ cursor: seq, bookmark: { seq, timestamp }, event });
    }
  }
  return events;
}
