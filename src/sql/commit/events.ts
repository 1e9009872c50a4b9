import type { EncodedEvent } from '../../model/encode-commit.ts';
import type { BatchOutcome } from '../batch.ts';
import type { SqlContext } from '../context.ts';
import type { SqlValue } from '../driver.ts';
import { CHANNEL_CODES } from '../schema/tables.ts';

/** More than this in one statement makes the ones behind it wait too long. */
const MAX_EVENTS = 1_000;

interface Waiting {
  events: readonly EncodedEvent[];
  at: number;
  resolve(outcome: BatchOutcome): void;
  reject(error: unknown): void;
}

/**
 * Events without state. Those of one agent that arrive while a write is under way go out together with
 * the next one: one statement and one cursor update for all of them.
 */
export class EventWriter {
  readonly #context: SqlContext;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(context: SqlContext) {
    this.#context = context;
  }

  /** Resolves with the cursor of the last of these events. */
  append(agentId: string, events: readonly EncodedEvent[], at = Date.now()): Promise<BatchOutcome> {
    return new Promise((resolve, reject) => {
      const entry = { events, at, resolve, reject };
      const queue = this.#waiting.get(agentId);
      if (queue) {
        queue.push(entry);
        return;
      }
      this.#waiting.set(agentId, [entry]);
      void this.#drain(agentId);
    });
  }

  async #drain(agentId: string): Promise<void> {
    const queue = this.#waiting.get(agentId) ?? [];
    // Callers that append in a loop get to their next call first.
    await Promise.resolve();
    while (queue.length > 0) {
      const taken = take(queue);
      try {
        const outcome = await this.#write(agentId, taken);
        let cursor = outcome.cursor - taken.reduce((sum, entry) => sum + entry.events.length, 0);
        for (const entry of taken) {
          cursor += entry.events.length;
          entry.resolve({ ...outcome, cursor });
        }
      } catch (error) {
        for (const entry of taken) entry.reject(error);
      }
    }
    this.#waiting.delete(agentId);
  }

  async #write(agentId: string, entries: readonly Waiting[]): Promise<BatchOutcome> {
    const { driver, directory } = this.#context;
    let at = Number.NEGATIVE_INFINITY;
    const stamped = entries.flatMap((entry) => {
      at = Math.max(at, entry.at);
      return entry.events.map((event) => ({ event, at }));
    });
    return directory.resolve(agentId, async (keys) => {
      const rows = stamped.map(({ event, at: instant }, i): SqlValue[] => [
        keys.tree,
        keys.agent,
        i,
        CHANNEL_CODES[event.channel],
        instant,
        event.payload,
      ]);
      const outcome = await driver.batch({
        guard: {
          ...keys,
          revision: null,
          expectedVersion: null,
          lease: null,
          needsLease: false,
          events: rows.length,
          at,
          set: null,
        },
        ops: [{ kind: 'insert', table: 'events', rows }],
      });
      // Nothing but the agent's absence refuses events.
      return outcome.applied ? outcome : undefined;
    });
  }
}

function take(queue: Waiting[]): Waiting[] {
  let count = 0;
  let entries = 0;
  for (const entry of queue) {
    if (entries > 0 && count + entry.events.length > MAX_EVENTS) break;
    count += entry.events.length;
    entries += 1;
  }
  return queue.splice(0, entries);
}
