import type { NewEvent, StoredEvent } from '../model/agent.ts';
import { appendAll } from '../model/lists.ts';
import type { EventQuery } from '../store/validate-filter.ts';
import type { OpenAgent } from './agent-files.ts';
import type { EventLine } from './event-index.ts';
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
  const { since, channel, order } = query;
  const events: StoredEvent[] = [];
  let next = from;
  for (let bytes = 0; bytes < PAGE_BYTES; ) {
    const line = order === 'asc' ? agent.events.after(next) : agent.events.before(next);
    if (!line || (order === 'desc' && next <= since + 1)) return { events, next: undefined };
    bytes += line.place.length;
    const all = await eventsOf(agent, line);
    const wanted = all.filter(
      ({ cursor, event }) =>
        cursor > since &&
        (order === 'asc' ? cursor > next : cursor < next) &&
        (channel === undefined || event.channel === channel),
    );
    appendAll(events, order === 'asc' ? wanted : wanted.reverse());
    next = order === 'asc' ? line.before + all.length : line.before + 1;
  }
  return { events, next };
}

async function eventsOf(agent: OpenAgent, line: EventLine): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let seq = line.before;
  const entries: unknown = JSON.parse(await agent.log.read(line.place));
  for (const entry of entries as unknown[]) {
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
