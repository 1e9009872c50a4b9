import { StoreBusyError, StoreUnavailableError } from '../../errors.ts';
import type { StoredEvent } from '../../model/agent.ts';
import type { Clock } from '../../model/clock.ts';
import type { CheckedWatch } from '../../store/arguments.ts';
import type { WatchItem } from '../../store/store.ts';
import { unlessAborted } from '../../store/unless-aborted.ts';
import type { EventQuery } from '../../store/validate-filter.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../keys.ts';
import { announce, decodeDelta, readDeltas, WATCH_MS } from './deltas.ts';
import { assertKept, FIRST_PAGE, nextLimit, readNewest, readPage, unpackAll } from './event-pages.ts';

/** How long a watcher waits when nobody wakes it. */
export const POLL_MS = 250;

/** The events that are there when the iteration gets to its end, page by page. */
export function readEvents(
  context: SqlContext,
  agentId: string,
  query: EventQuery,
): AsyncGenerator<Iterable<StoredEvent>> {
  return query.order === 'desc'
    ? readBackwards(context, agentId, query)
    : readForwards(context, agentId, query);
}

async function* readForwards(
  { driver, directory }: SqlContext,
  agentId: string,
  query: EventQuery,
): AsyncGenerator<Iterable<StoredEvent>> {
  let limit = FIRST_PAGE;
  for (let { since } = query; ; ) {
    const rest = { ...query, since, limit };
    const page = await directory.resolve(agentId, (keys) => readPage(driver, agentId, keys, rest));
    yield unpackAll(agentId, page.packs, rest);
    if (page.isLast) return;
    since = page.end;
    limit = nextLimit(limit, page.packs);
  }
}

async function* readBackwards(
  { driver, directory }: SqlContext,
  agentId: string,
  query: EventQuery,
): AsyncGenerator<Iterable<StoredEvent>> {
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const rest = { ...query, before };
    const page = await directory.resolve(agentId, (keys) => readNewest(driver, keys, rest));
    yield unpackAll(agentId, page.packs, query);
    if (page.isLast) return assertKept(agentId, query.since, page);
    before = page.end;
  }
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
  let lastPiece = 0;
  let announcedAt = Number.NEGATIVE_INFINITY;
  const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
  // The keys of this agent: one that is created anew under its id is another one.
  const keys = await whileWatched(signal, liveKeys(context, agentId));
  if (!keys) return;
  const bell = new Bell(signal, clock);
  const unsubscribe = context.driver.subscribe(bell.ring);
  try {
    while (!signal.aborted) {
      bell.reset();
      const seen = await whenever(clock, signal, async () => {
        if (clock.monotonic() - announcedAt > WATCH_MS / 2) {
          await announce(context.driver, keys);
          announcedAt = clock.monotonic();
        }
        const page = await readPage(context.driver, agentId, keys, { since, limit: FIRST_PAGE });
        return page && { page, deltas: await readDeltas(context.driver, keys, lastPiece) };
      });
      if (!seen) return;
      const { page, deltas } = seen;
      for (const event of unpackAll(agentId, page.packs, { since, order: 'asc' })) {
        if (signal.aborted) return;
        yield { kind: 'event', ...event };
      }
      since = page.end;
      for (const { piece, payload } of deltas ?? []) {
        if (signal.aborted) return;
        yield { kind: 'delta', delta: decodeDelta(agentId, payload) };
        lastPiece = piece;
      }
      if (page.isLast) await bell.wait(POLL_MS);
    }
  } finally {
    unsubscribe();
    bell.dispose();
  }
}

/** After so long a watcher tries again what the database couldn't answer. */
const RETRY_MS = 500;

/**
 * Reads as soon as the database answers: a server that restarts, or a network that is away for a while, doesn't
 * end a watch. Undefined where there is nothing to see any more, or the signal aborts.
 */
async function whenever<T>(
  clock: Clock,
  signal: AbortSignal,
  read: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const bell = new Bell(signal, clock);
  try {
    while (!signal.aborted) {
      try {
        return await whileWatched(signal, read());
      } catch (error) {
        if (!isOutOfReach(error)) throw error;
      }
      if (!signal.aborted) await bell.wait(RETRY_MS);
    }
    return undefined;
  } finally {
    bell.dispose();
  }
}

/** What the signal ends isn't waited for: it ends by itself, and nobody needs it. */
async function whileWatched<T>(signal: AbortSignal, reading: Promise<T>): Promise<T | undefined> {
  try {
    return await unlessAborted(reading, signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function isOutOfReach(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof StoreBusyError;
}

function liveKeys(context: SqlContext, agentId: string): Promise<AgentKeys> {
  return context.directory.resolve(agentId, async (keys) =>
    (await readDeltas(context.driver, keys, 0)) ? keys : undefined,
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
