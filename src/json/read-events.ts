import { ValidationError } from '../errors.ts';
import type { Channel, NewEvent, StoredEvent } from '../model/agent.ts';
import { ordinal } from '../model/call-update.ts';
import { describe } from '../model/ids.ts';
import type { ReadEventsOptions } from '../store/store.ts';
import type { OpenAgent } from './agent-files.ts';
import { Fields } from './fields.ts';

/** Read in pieces of about this size, between which others get their turn. */
const PAGE_BYTES = 256 << 10;

export interface EventPage {
  events: StoredEvent[];
  /** The last cursor that was looked at; undefined when there is nothing after it. */
  next: number | undefined;
}

export function checkReadOptions(options: ReadEventsOptions | undefined): {
  since: number;
  channel: Channel | undefined;
} {
  const { since, channel } = options ?? {};
  if (channel !== undefined && channel !== 'progress' && channel !== 'control' && channel !== 'monitor') {
    throw new ValidationError('channel', 'must be "progress", "control" or "monitor"');
  }
  if (since === undefined) return { since: 0, channel };
  if (typeof since === 'number') return { since: ordinal('since', since), channel };
  if (typeof since !== 'object' || since === null) {
    throw new ValidationError('since', `must be a cursor or a bookmark, not ${describe(since)}`);
  }
  return { since: ordinal('since.seq', since.seq), channel };
}

/** The events after a cursor, as many as lie in the next piece of the log. */
export async function readEventPage(
  agent: OpenAgent,
  since: number,
  channel: Channel | undefined,
): Promise<EventPage> {
  const events: StoredEvent[] = [];
  let cursor = since;
  for (let bytes = 0; bytes < PAGE_BYTES; ) {
    const line = agent.events.after(cursor);
    if (!line) return { events, next: undefined };
    bytes += line.place.length;
    let seq = line.before;
    const entries: unknown = JSON.parse(await agent.log.read(line.place));
    for (const entry of entries as unknown[]) {
      const fields = new Fields(entry, 'entry');
      if (!fields.has('events')) continue;
      const timestamp = fields.integer('at');
      for (const event of fields.array('events') as NewEvent[]) {
        seq += 1;
        if (seq <= since || (channel !== undefined && event.channel !== channel)) continue;
        events.push({ cursor: seq, bookmark: { seq, timestamp }, event });
      }
    }
    cursor = seq;
  }
  return { events, next: cursor };
}
