import type { EncodedEvent } from '../../model/encode-commit.ts';
import { assertRoomForWrite } from '../../store/queues.ts';
import type { SqlContext } from '../context.ts';
import type { BatchOutcome } from '../port/batch.ts';
import { eventRows, type Moment } from './event-rows.ts';
import { gaveUp, isLost } from './lost-wait.ts';
import type { StateCache } from './state-cache.ts';

/** What is in one statement keeps others waiting: no more events than this, and no more of their text. */
export const MAX_EVENTS = 4_096;
export const MAX_LENGTH = 1_048_576;

/** Who waits for events to be written; gets the cursor of the last one. */
export interface Appending {
  resolve(cursor: number, outcome: BatchOutcome): void;
  reject(error: unknown): void;
}

interface Waiting extends Moment {
  readonly call: Appending;
}

/**
 * Events without state. Those of one agent that arrive while a write is under way go out together with
 * the next one: one statement and one cursor update for all of them.
 */
export class EventWriter {
  readonly #context: SqlContext;
  readonly #states: StateCache;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(context: SqlContext, states: StateCache) {
    this.#context = context;
    this.#states = states;
  }

  append(agentId: string, events: readonly EncodedEvent[], at: number, call: Appending): void {
    const entry = { events, at, call };
    const queue = this.#waiting.get(agentId);
    if (queue) {
      assertRoomForWrite(agentId, queue.length);
      queue.push(entry);
      return;
    }
    const started = [entry];
    this.#waiting.set(agentId, started);
    void this.#drain(agentId, started);
  }

  async #drain(agentId: string, queue: Waiting[]): Promise<void> {
    // Callers that append in a loop get to their next call first.
    await Promise.resolve();
    while (queue.length > 0) {
      const taken = take(queue);
      const [behind, since] = [queue.length, performance.now()];
      let outcome: BatchOutcome;
      try {
        outcome = await this.#write(agentId, taken);
      } catch (error) {
        for (const entry of taken) entry.call.reject(error);
        const waitedMs = performance.now() - since;
        if (isLost(error, waitedMs)) {
          for (const { call } of queue.splice(0, behind)) call.reject(gaveUp(agentId, error, waitedMs));
        }
        continue;
      }
      this.#states.noteInstant(agentId, outcome.at);
      let cursor = outcome.cursor - countOf(taken);
      for (const entry of taken) {
        cursor += entry.events.length;
        entry.call.resolve(cursor, outcome);
      }
    }
    this.#waiting.delete(agentId);
  }

  #write(agentId: string, entries: readonly Waiting[]): Promise<BatchOutcome> {
    const { driver, directory } = this.#context;
    let at = Number.NEGATIVE_INFINITY;
    const moments = entries.map((entry): Moment => {
      at = Math.max(at, entry.at);
      return { events: entry.events, at };
    });
    return directory.resolve(agentId, async (keys) => {
      const outcome = await driver.batch({
        guard: {
          tree: keys.tree,
          agent: keys.agent,
          revision: null,
          expectedVersion: null,
          lease: null,
          needsLease: false,
          events: countOf(entries),
          at,
          set: null,
        },
        ops: [{ kind: 'insert', table: 'events', rows: eventRows(keys, moments) }],
      });
      // Nothing but the agent's absence refuses events.
      return outcome.applied ? outcome : undefined;
    });
  }
}

function countOf(moments: readonly Moment[]): number {
  return moments.reduce((sum, { events }) => sum + events.length, 0);
}

/** Takes from the beginning of the queue what goes out together: at least one entry. */
function take(queue: Waiting[]): Waiting[] {
  let count = 0;
  let length = 0;
  let entries = 0;
  for (const { events } of queue) {
    count += events.length;
    for (const { payload } of events) length += payload.length;
    if (entries > 0 && (count > MAX_EVENTS || length > MAX_LENGTH)) break;
    entries += 1;
  }
  return queue.splice(0, entries);
}
