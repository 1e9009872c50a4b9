import {
  type LeaseHolder,
  LeaseNotHeldError,
  LockTimeoutError,
  type StandingLease,
  StoreClosedError,
} from '../errors.ts';
import type { LeaseToken } from '../model/agent.ts';
import type { Clock, Timer } from '../model/clock.ts';
import { randomUUID } from '../model/crypto.ts';
import { LEASE_END, leaseRefusal } from '../model/lease-rules.ts';
import { renewalAfter } from '../model/lease-time.ts';
import type { CheckedLease } from '../store/arguments.ts';
import { leaseHandle } from '../store/lease-handle.ts';
import { lookingSignal } from '../store/looking-signal.ts';
import type { AgentLease } from '../store/store.ts';
import { thisHolder } from '../store/this-holder.ts';

/** Tokens of one opening of the store; the next opening's are all higher. */
const TOKENS_PER_GENERATION = 2 ** 24;

interface Held {
  token: LeaseToken;
  holder: LeaseHolder;
  ttlMs: number;
  /** By the monotonic clock: setting the system's time ends no lease. */
  deadline: number;
  renewal: Timer;
  ended: AbortController;
}

/**
 * Leases live in memory: the process that has the store open is the only one that can hold any, and they
 * end with it. Their tokens rise from one opening of the store to the next, with its lock's generation.
 */
export class Leases {
  readonly #held = new Map<string, Held>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #clock: Clock;
  /** Ends all of them where another process has the store by now. */
  readonly #look: () => void;
  readonly #holder: string | undefined;
  #lastToken: number;
  #closed = false;

  /** `holder`: the name under which leases are held, unless a call says another. */
  constructor(
    generation: number,
    clock: Clock,
    holder: string | undefined,
    look: () => void = () => undefined,
  ) {
    this.#look = look;
    this.#clock = clock;
    this.#holder = holder;
    this.#lastToken = generation * TOKENS_PER_GENERATION;
  }

  /**
   * Waits for another holder as long as the options say. `withAgent` runs what it is given when no write to the
   * agent is under way, and throws if there is no such agent.
   */
  async acquire(
    agentId: string,
    { ttlMs, waitMs, holder = this.#holder }: CheckedLease,
    withAgent: <T>(work: () => T) => Promise<T>,
  ): Promise<AgentLease> {
    const start = this.#clock.monotonic();
    for (;;) {
      const granted = await withAgent(() => {
        if (this.#closed) throw new StoreClosedError();
        return this.#current(agentId) ? undefined : this.#grant(agentId, ttlMs, holder);
      });
      if (granted) return granted;
      const standing = this.#current(agentId);
      if (!standing) continue;
      const now = this.#clock.monotonic();
      const left = start + waitMs - now;
      if (left <= 0) throw new LockTimeoutError(agentId, waitMs, this.#describe(standing));
      await this.#change(agentId, Math.min(left, standing.deadline - now));
    }
  }

  /** Throws unless a write with this lease, or with none, may go on. */
  check(agentId: string, lease: LeaseToken | undefined): void {
    const last = this.#held.get(agentId);
    const holder = this.#current(agentId);
    const reason = leaseRefusal(lease, last?.token, holder !== undefined);
    if (reason === undefined) return;
    throw new LeaseNotHeldError(agentId, reason, holder && this.#describe(holder));
  }

  /** The agent was deleted. */
  drop(agentId: string): void {
    const held = this.#held.get(agentId);
    if (held) this.#end(agentId, held, LEASE_END.agentDeleted);
  }

  /** Grants none any more, and ends the wait of everybody who waits for one. */
  refuse(): void {
    this.#closed = true;
    for (const agentId of [...this.#waiting.keys()]) this.#wake(agentId);
  }

  /** Ends all leases. */
  close(): void {
    this.refuse();
    for (const [agentId, held] of this.#held) {
      this.#end(agentId, held, LEASE_END.storeClosed);
    }
  }

  /** The holder; one whose time ran out is none any more. */
  #current(agentId: string): Held | undefined {
    this.#look();
    const held = this.#held.get(agentId);
    if (held && held.deadline <= this.#clock.monotonic()) {
      this.#end(agentId, held, LEASE_END.ranOut);
      return undefined;
    }
    return held;
  }

  #end(agentId: string, held: Held, reason: string): void {
    held.renewal.cancel();
    if (this.#held.get(agentId) === held) this.#held.delete(agentId);
    held.ended.abort(new LeaseNotHeldError(agentId, reason));
    this.#wake(agentId);
  }

  #grant(agentId: string, ttlMs: number, name: string | undefined): AgentLease {
    this.#lastToken += 1;
    const token: LeaseToken = { agentId, token: this.#lastToken, holderId: randomUUID() };
    const deadline = this.#clock.monotonic() + ttlMs;
    const renewal = this.#clock.after(renewalAfter(ttlMs), () => this.#renew(agentId, held));
    const held: Held = {
      token,
      holder: thisHolder(name),
      ttlMs,
      deadline,
      renewal,
      ended: new AbortController(),
    };
    this.#held.set(agentId, held);
    return leaseHandle({
      ...token,
      holder: held.holder,
      // A process that stood still hears of the end here, before its timers run.
      signal: lookingSignal(held.ended.signal, () => {
        if (this.#held.get(agentId) === held) this.#current(agentId);
      }),
      expiresAt: () => this.#expiry(held),
      release: async () => {
        if (this.#held.get(agentId) === held) this.#end(agentId, held, LEASE_END.givenBack);
      },
    });
  }

  /** There are no other holders than those of this process. */
  #describe(held: Held): StandingLease {
    return { holder: held.holder, expiresAt: new Date(this.#expiry(held)), here: true };
  }

  #expiry({ deadline }: Held): number {
    return this.#clock.now() + Math.round(deadline - this.#clock.monotonic());
  }

  #renew(agentId: string, held: Held): void {
    if (this.#current(agentId) !== held) return;
    held.deadline = this.#clock.monotonic() + held.ttlMs;
    held.renewal = this.#clock.after(renewalAfter(held.ttlMs), () => this.#renew(agentId, held));
  }

  /** Until the holder changes, or the time is over. */
  #change(agentId: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(agentId) ?? new Set();
      this.#waiting.set(agentId, waiting);
      const done = () => {
        timer.cancel();
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(agentId) === waiting) this.#waiting.delete(agentId);
        resolve();
      };
      const timer = this.#clock.after(ms, done, { ref: true });
      waiting.add(done);
    });
  }

  #wake(agentId: string): void {
    for (const done of [...(this.#waiting.get(agentId) ?? [])]) done();
  }
}
