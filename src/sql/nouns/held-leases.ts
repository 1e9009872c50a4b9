import { LeaseNotHeldError } from '../../errors.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import {
  holderDeadline,
  isPast,
  type Reading,
  readingOf,
  renewalAfter,
  retryAfter,
} from '../../model/lease-time.ts';
import { leaseHandle } from '../../store/lease-handle.ts';
import { lookingSignal } from '../../store/looking-signal.ts';
import type { AgentLease } from '../../store/store.ts';
import { forgetHere, noteHere } from '../../store/this-holder.ts';
import type { AgentKeys } from '../directory.ts';
import type { Driver } from '../driver.ts';
import { type Grant, releaseLeases, renewLeases } from './lease-statements.ts';

interface Held {
  readonly grant: Grant;
  readonly abort: AbortController;
  /** By the database's clock. */
  expiresAt: number;
  /** When the holder must stop: counted from before the database was asked, so never too late. */
  deadline: Reading;
  /** The lease runs out at the latest when its time is over from here, as far as this process has asked. */
  asked: Reading;
  /** On the monotonic clock. */
  renewAt: number;
  renewing: boolean;
  /** The database has no lease of this holder any more. */
  gone: boolean;
  releasing: Promise<void> | undefined;
}

/** One statement renews or releases up to so many leases. */
const MAX_TOGETHER = 1_000;

/**
 * The leases that this store holds: one loop renews them in time, whatever else comes and goes, and aborts the
 * signals of those whose time is over, whatever becomes of the renewals.
 */
export class HeldLeases {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #held = new Set<Held>();
  #timer: Timer | undefined;
  /** Lets go of what the driver keeps free for renewals. */
  #letGo: (() => void) | undefined;
  #closed = false;
  /** When the timer calls, on the monotonic clock. */
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(driver: Driver) {
    this.#driver = driver;
    this.#clock = driver.clock;
  }

  get count(): number {
    return this.#held.size;
  }

  /** `asked`: what the clocks said before the database was asked for it. */
  add(grant: Grant, expiresAt: number, asked: Reading): AgentLease {
    const held: Held = {
      grant,
      abort: new AbortController(),
      expiresAt,
      deadline: holderDeadline(asked, grant.ttlMs),
      asked,
      renewAt: asked.monotonic + renewalAfter(grant.ttlMs),
      renewing: false,
      gone: false,
      releasing: undefined,
    };
    this.#held.add(held);
    noteHere(grant);
    this.#letGo ??= this.#driver.keepUrgent();
    this.#wake(held.renewAt);
    const { agentId, token, holderId, holder } = grant;
    return leaseHandle({
      agentId,
      token,
      holderId,
      holder,
      expiresAt: () => held.expiresAt,
      signal: lookingSignal(held.abort.signal, () => this.#look(held)),
      release: () => this.#release(held),
    });
  }

  /** The agent was deleted by this store: nobody need wait for the next renewal to hear of it. */
  dropOf({ tree, agent }: AgentKeys): void {
    for (const held of this.#held) {
      const { keys } = held.grant;
      if (keys.tree !== tree || keys.agent !== agent) continue;
      held.gone = true;
      this.#drop(held, 'its agent was deleted');
    }
  }

  async releaseAll(): Promise<void> {
    const all = [...this.#held];
    this.#closed = true;
    this.#timer?.cancel();
    this.#letGo?.();
    for (const held of all) this.#drop(held, 'it was given back when the store was closed');
    for (const some of portions(all)) {
      await releaseLeases(
        this.#driver,
        some.map(({ grant }) => grant),
      );
      for (const held of some) held.gone = true;
    }
  }

  /** Only the holder's own lease: one that was taken over isn't touched. */
  #release(held: Held): Promise<void> {
    this.#drop(held, 'it was given back');
    held.releasing ??= this.#giveBack(held).finally(() => {
      held.releasing = undefined;
    });
    return held.releasing;
  }

  async #giveBack(held: Held): Promise<void> {
    if (held.gone) return;
    try {
      await releaseLeases(this.#driver, [held.grant]);
    } catch (error) {
      const { asked, grant } = held;
      // It has run out: there is nothing to give back any more.
      if (this.#clock.monotonic() < asked.monotonic + grant.ttlMs) throw error;
    }
    held.gone = true;
  }

  /** Whoever asks for the signal asks the clock. */
  #look(held: Held): void {
    if (isPast(this.#clock, held.deadline)) this.#drop(held, 'it ran out before it was renewed');
  }

  #drop(held: Held, reason: string): void {
    if (!this.#held.delete(held)) return;
    forgetHere(held.grant);
    held.abort.abort(new LeaseNotHeldError(held.grant.agentId, reason));
  }

  /** To be called when the monotonic clock is there, if not earlier. A lease keeps no process alive. */
  #wake(at: number): void {
    if (at >= this.#wakeAt || this.#closed) return;
    this.#timer?.cancel();
    this.#wakeAt = at;
    this.#timer = this.#clock.after(at - this.#clock.monotonic(), () => this.#tick());
  }

  async #tick(): Promise<void> {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    const due: Held[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const held of this.#held) {
      this.#look(held);
      if (!this.#held.has(held)) continue;
      next = Math.min(next, held.deadline.monotonic);
      if (held.renewing) continue;
      // Those that are nearly due go along.
      if (held.renewAt - renewalAfter(held.grant.ttlMs) / 2 <= now) due.push(held);
      else next = Math.min(next, held.renewAt);
    }
    this.#wake(next);
    if (this.#held.size === 0) {
      // Not with each release: who takes one lease after the other has one most of the time.
      this.#letGo?.();
      this.#letGo = undefined;
    }
    await Promise.all([...portions(due)].map((some) => this.#renew(some)));
  }

  async #renew(leases: readonly Held[]): Promise<void> {
    const asked = readingOf(this.#clock);
    for (const held of leases) {
      held.renewing = true;
      held.asked = asked;
    }
    // Without an answer, they live on until their own time is over.
    const answer = await renewLeases(
      this.#driver,
      leases.map(({ grant }) => grant),
    ).catch(() => undefined);
    for (const held of leases) {
      held.renewing = false;
      this.#settle(held, answer?.get(held.grant), asked);
      if (this.#held.has(held)) this.#wake(Math.min(held.renewAt, held.deadline.monotonic));
    }
  }

  /** `answer`: until when the lease lives now; `busy`: it was held up; undefined: nobody knows. */
  #settle(held: Held, answer: number | 'busy' | 'lost' | undefined, asked: Reading): void {
    const { ttlMs } = held.grant;
    if (answer === 'lost') {
      this.#drop(held, 'it was lost: taken over, or its agent was deleted');
      held.gone = true;
    } else if (typeof answer === 'number') {
      held.expiresAt = answer;
      held.deadline = holderDeadline(asked, ttlMs);
      held.renewAt = asked.monotonic + renewalAfter(ttlMs);
    } else {
      held.renewAt = this.#clock.monotonic() + retryAfter(ttlMs);
    }
  }
}

function* portions<T>(all: readonly T[]): Generator<T[]> {
  for (let i = 0; i < all.length; i += MAX_TOGETHER) yield all.slice(i, i + MAX_TOGETHER);
}
