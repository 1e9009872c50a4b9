import type { Delta, StoredEvent } from '../../model/agent.ts';
import type { Clock } from '../../model/clock.ts';
import type { CheckedWatch } from '../../store/arguments.ts';
import type { WatchItem } from '../../store/store.ts';
import type { EventQuery } from '../../store/validate-filter.ts';
import { number, parseJson } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../directory.ts';
import type { Row } from '../driver.ts';
import { statement } from '../statement.ts';
import { assertKept, readNewest, readPage, unpack } from './event-pages.ts';

/** How long a watcher waits when nobody wakes it. */
export const POLL_MS = 250;
/** A watcher announces itself for so long, and again when half of it is over. */
const WATCH_MS = 60_000;

/** The lock keeps the agent from being deleted in between; it doesn't hold up commits. */
const SAVE_DELTA = statement('save_delta', {
  sqlite: saveDeltaText(''),
  postgres: saveDeltaText('FOR KEY SHARE'),
});

function saveDeltaText(locking: string): string {
  return `INSERT INTO {deltas} AS d (tree, agent, message_count, sequence, payload)
   SELECT tree, agent, message_count, 1, $3 FROM {heads} WHERE tree = $1 AND agent = $2 ${locking}
   ON CONFLICT (tree, agent) DO UPDATE SET message_count = excluded.message_count, sequence = d.sequence + 1,
     payload = excluded.payload
   RETURNING sequence`;
}

const READ_DELTA = statement(
  'read_delta',
  `SELECT h.agent, d.sequence, d.payload FROM {heads} h
     LEFT JOIN {deltas} d ON d.tree = h.tree AND d.agent = h.agent AND d.message_count = h.message_count
   WHERE h.tree = $1 AND h.agent = $2`,
);

const ANNOUNCE = statement(
  'announce_watcher',
  `UPDATE {heads} SET watched_until = {now} + $3
   WHERE tree = $1 AND agent = $2 AND watched_until < {now} + $3 / 2`,
);

const IS_WATCHED = statement(
  'is_watched',
  `SELECT CASE WHEN watched_until > {now} THEN 1 ELSE 0 END AS watched
   FROM {heads} WHERE tree = $1 AND agent = $2`,
);

/** The events that are there when the iteration gets to its end. */
export async function* readEvents(
  context: SqlContext,
  agentId: string,
  query: EventQuery,
): AsyncGenerator<StoredEvent> {
  if (query.order === 'desc') yield* readBackwards(context, agentId, query);
  else yield* readForwards(context, agentId, query);
}

async function* readForwards(
  { driver, directory }: SqlContext,
  agentId: string,
  query: EventQuery,
): AsyncGenerator<StoredEvent> {
  for (let { since } = query; ; ) {
    const rest = { ...query, since };
    const page = await directory.resolve(agentId, (keys) => readPage(driver, agentId, keys, rest));
    for (const pack of page.packs) yield* unpack(agentId, pack, rest);
    if (page.isLast) return;
    since = page.end;
  }
}

async function* readBackwards(
  { driver, directory }: SqlContext,
  agentId: string,
  query: EventQuery,
): AsyncGenerator<StoredEvent> {
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const rest = { ...query, before };
    const page = await directory.resolve(agentId, (keys) => readNewest(driver, keys, rest));
    for (const pack of page.packs) yield* [...unpack(agentId, pack, query)].reverse();
    if (page.isLast) return assertKept(agentId, query.since, page);
    before = page.end;
  }
}

export async function saveDelta(context: SqlContext, agentId: string, payload: string): Promise<void> {
  const { driver, directory } = context;
  const watched = await directory.resolve(agentId, async (keys) => {
    const [saved] = await driver.write(SAVE_DELTA, [keys.tree, keys.agent, payload]);
    if (!saved) return undefined;
    const [row] = await driver.read(IS_WATCHED, [keys.tree, keys.agent]);
    return number(row?.watched) === 1;
  });
  if (watched) await driver.notify();
}

export async function loadDelta(context: SqlContext, agentId: string): Promise<Delta | undefined> {
  const row = await context.directory.resolve(agentId, (keys) => readDelta(context, keys));
  return row.payload === null ? undefined : decodeDelta(agentId, row);
}

async function readDelta({ driver }: SqlContext, keys: AgentKeys): Promise<Row | undefined> {
  return (await driver.read(READ_DELTA, [keys.tree, keys.agent]))[0];
}

function decodeDelta(agentId: string, row: Row): Delta {
  return parseJson(row.payload, `delta of agent "${agentId}"`) as Delta;
}

/**
 * Follows an agent's events from the table. Notifications and the polling interval only decide how soon
 * it looks again. Ends with the signal, with the store, and with the agent.
 */
export async function* watchEvents(
  context: SqlContext,
  agentId: string,
  options: CheckedWatch,
  closing: AbortSignal,
): AsyncGenerator<WatchItem> {
  let { since } = options;
  const { clock } = context.driver;
  let lastDelta = 0;
  let announcedAt = Number.NEGATIVE_INFINITY;
  const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
  // The keys of this agent: one that is created anew under its id is another one.
  const keys = await liveKeys(context, agentId);
  const bell = new Bell(signal, clock);
  const unsubscribe = context.driver.subscribe(bell.ring);
  try {
    while (!signal.aborted) {
      if (clock.monotonic() - announcedAt > WATCH_MS / 2) {
        announcedAt = clock.monotonic();
        await context.driver.write(ANNOUNCE, [keys.tree, keys.agent, WATCH_MS]);
      }
      bell.reset();
      const page = await readPage(context.driver, agentId, keys, { since });
      if (!page) return;
      for (const pack of page.packs) {
        for (const event of unpack(agentId, pack, { since })) {
          if (signal.aborted) return;
          yield { kind: 'event', ...event };
        }
      }
      since = page.end;
      const delta = await readDelta(context, keys);
      if (delta && delta.payload !== null && number(delta.sequence) !== lastDelta) {
        lastDelta = number(delta.sequence);
        yield { kind: 'delta', delta: decodeDelta(agentId, delta) };
      }
      if (page.isLast) await bell.wait(POLL_MS);
    }
  } finally {
    unsubscribe();
    bell.dispose();
  }
}

function liveKeys(context: SqlContext, agentId: string): Promise<AgentKeys> {
  return context.directory.resolve(agentId, async (keys) =>
    (await readDelta(context, keys)) ? keys : undefined,
  );
}

/** Wakes one waiter; a ring between two waits isn't lost. */
class Bell {
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | undefined;

  /** The signal rings, too. It may live much longer than the bell, so `dispose` lets go of it. */
  constructor(signal: AbortSignal, clock: Clock) {
    this.#signal = signal;
    this.#clock = clock;
    signal.addEventListener('abort', this.ring);
  }

  dispose(): void {
    this.#signal.removeEventListener('abort', this.ring);
  }

  reset(): void {
    this.#rung = false;
  }

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  async wait(ms: number): Promise<void> {
    if (this.#rung) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(ms, resolve, { ref: true });
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
