import { LeaseNotHeldError } from '../../errors.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import { LEASE_END } from '../../model/lease-rules.ts';
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
import type { AgentKeys } from '../keys.ts';
import type { Driver } from '../port/driver.ts';
import { type Grant, type Renewal, releaseLeases, renewLeases, renewPatiently } from './lease-statements.ts';

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
  /** So many renewals in a row found its row locked. */
  heldUp: number;
  /** The database has no lease of this holder any more. */
  gone: boolean;
  releasing: Promise<void> | undefined;
}

/** One statement renews or releases up to so many leases. */
const MAX_TOGETHER = 1_000;
/** After so many renewals in a row that found its row locked, one waits for it. */
const HELD_UP = 3;
/** It is tried again as long as the lease lasts: meanwhile, a connection that is dead isn't waited for. */
const PATIENCE_MS = 3_000;

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
  /** Of the leases that are held up, one at a time waits for its row: each that waits takes a connection. */
  #patient = false;
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
      heldUp: 0,
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
      this.#drop(held, LEASE_END.agentDeleted);
    }
  }

  async releaseAll(): Promise<void> {
    const all = [...this.#held];
    this.#closed = true;
    this.#timer?.cancel();
    this.#letGo?.();
    for (const held of all) this.#drop(held, LEASE_END.storeClosed);
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
    this.#drop(held, LEASE_END.givenBack);
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
    if (isPast(this.#clock, held.deadline)) this.#drop(held, LEASE_END.ranOut);
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
    const patient = this.#mostPressing(due);
    if (patient) this.#renewPatiently(patient);
    const others = due.filter((held) => held !== patient);
    await Promise.all([...portions(others)].map((some) => this.#renew(some)));
  }

  /** The one whose turn it is to wait. */
  #mostPressing(due: readonly Held[]): Held | undefined {
    if (this.#patient) return undefined;
    let pressing: Held | undefined;
    for (const held of due) {
      const sooner = !pressing || held.deadline.monotonic < pressing.deadline.monotonic;
      if (held.heldUp >= HELD_UP && sooner) pressing = held;
    }
    return pressing;
  }

  async #renewPatiently(held: Held): Promise<void> {
    this.#patient = true;
    const left = held.deadline.monotonic - this.#clock.monotonic();
    const timeoutMs = Math.max(1, Math.min(PATIENCE_MS, Math.ceil(left)));
    const renewal = (grants: readonly Grant[]) => this.#patiently(grants, timeoutMs);
    await this.#renewBy(renewal, [held]);
    this.#patient = false;
  }

  async #patiently([grant]: readonly Grant[], timeoutMs: number): Promise<Map<Grant, Renewal>> {
    return grant ? new Map([[grant, await renewPatiently(this.#driver, grant, timeoutMs)]]) : new Map();
  }

  #renew(leases: readonly Held[]): Promise<void> {
    return this.#renewBy((grants) => renewLeases(this.#driver, grants), leases);
  }

  async #renewBy(
    renewal: (grants: readonly Grant[]) => Promise<Map<Grant, Renewal>>,
    leases: readonly Held[],
  ): Promise<void> {
    const asked = readingOf(this.#clock);
    for (const held of leases) {
      held.renewing = true;
      held.asked = asked;
    }
    // Without an answer, they live on until their own time is over.
    const answer = await renewal(leases.map(({ grant }) => grant)).catch(() => undefined);
    for (const held of leases) {
      held.renewing = false;
      this.#takeAnswer(held, answer?.get(held.grant), asked);
      if (this.#held.has(held)) this.#wake(Math.min(held.renewAt, held.deadline.monotonic));
    }
  }

  /** `answer`: until when the lease lives now; `busy`: it was held up; undefined: nobody knows. */
  #takeAnswer(held: Held, answer: Renewal | undefined, asked: Reading): void {
    const { ttlMs } = held.grant;
    if (answer === 'lost') {
      this.#drop(held, LEASE_END.lost);
      held.gone = true;
    } else if (typeof answer === 'number') {
      held.expiresAt = answer;
      held.deadline = holderDeadline(asked, ttlMs);
      held.renewAt = asked.monotonic + renewalAfter(ttlMs);
      held.heldUp = 0;
    } else {
      if (answer === 'busy') held.heldUp += 1;
      held.renewAt = this.#clock.monotonic() + retryAfter(ttlMs);
    }
  }
}

function* portions<T>(all: readonly T[]): Generator<T[]> {
  for (let i = 0; i < all.length; i += MAX_TOGETHER) yield all.slice(i, i + MAX_TOGETHER);
}
